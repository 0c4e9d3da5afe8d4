"""Study files: the settings of a study in YAML, group by group. A run's ``spec.json`` is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

import yaml
from cyclopts import Parameter
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pipelines.record.header import split_header
from pipelines.study.settings import Settings, explained, named
from pipelines.study.spec import StudySpec
from pipelines.study.yaml_file import read_yaml


def read_study_file(path: Path) -> dict[str, dict[str, Any]]:
    """What the file sets, by group and field; the values are not checked.

    Raises ``ValueError`` for a file that cannot be read, and for an unknown group or field.
    """
    content = read_yaml(path, "study")
    if path.suffix == ".json":
        content, _ = split_header(content, path)
    if not isinstance(content, dict):
        raise ValueError(f"`study` {path} is not a mapping from groups to their settings")
    for name, group in content.items():
        kind = _groups().get(name)
        if kind is None:
            raise ValueError(f"`study` {path} has an unknown group {named(name, _groups())}")
        if not isinstance(group, dict):
            raise ValueError(f"`study` {path}: {name} is not a mapping from settings to values")
        for setting, value in group.items():
            if setting not in kind.model_fields:
                known = named(setting, kind.model_fields)
                raise ValueError(f"`study` {path} has an unknown setting {name}.{known}")
            listed = get_origin(kind.model_fields[setting].annotation) is tuple
            if listed and isinstance(value, str):
                raise ValueError(
                    f"`study` {path}: {name}.{setting} must be a list, not '{value}': write "
                    f"[{value}]"
                )
    return content


def read_study(path: str | Path) -> StudySpec:
    """The settings in a study file, checked. Raises ``ValueError`` for what is not allowed."""
    settings = read_study_file(Path(path))
    try:
        return StudySpec.model_validate(settings)
    except ValidationError as error:
        raise ValueError(f"`study` {path}: {explained(error)}") from None


def study_file(spec: StudySpec) -> str:
    """All settings of ``spec`` as a study file, each with a comment."""
    return "\n".join(_lines(spec)) + "\n"


def _lines(spec: StudySpec) -> Iterator[str]:
    yield "# A study. Settings that are left out of this file have their defaults."
    for name, kind in _groups().items():
        yield ""
        yield f"# {kind.__doc__}"
        yield f"{name}:"
        values = getattr(spec, name).model_dump(mode="json")
        for setting, field in kind.model_fields.items():
            yield f"  # {field.description}{_choices(field)}"
            yield f"  {setting}: {_yaml(values[setting])}"


def _groups() -> dict[str, type[Settings]]:
    return {name: type(getattr(StudySpec(), name)) for name in StudySpec.model_fields}


def _choices(field: FieldInfo) -> str:
    parameters = [part for part in field.metadata if isinstance(part, Parameter)]
    choices = [str(c) for p in parameters if isinstance(p.choices, tuple) for c in p.choices]
    return f" ({', '.join(choices)})" if choices else ""


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return text.removesuffix("...\n").strip()
