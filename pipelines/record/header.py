"""``spec.json``: the settings of a run, as a study file, and what was prepared from them.

It is written once, before the first trial. ``format`` is the number of the record's format.
``prepared`` holds what was found when the study was prepared (the space, the data, versions); these
are not settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles, missing
from pipelines.record.whole import write_whole
from trainables.data.files import check_file

FORMAT = 2
_NUMBER, _PREPARED = "format", "prepared"


def write_header(files: RunFiles, settings: Mapping[str, Any], prepared: Mapping[str, Any]) -> None:
    """Write ``spec.json``, whole or not at all."""
    content = {_NUMBER: FORMAT, **settings, _PREPARED: prepared}
    write_whole(files.spec, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_header(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the run in ``folder``, and what was prepared from them.

    Raises ``ValueError`` if ``folder`` holds no run, or if its record has another format.
    """
    path = RunFiles(folder).spec
    if why := missing(path):
        raise ValueError(f"no run in {folder}: {why}")
    return split_header(read_json(path), path)


def read_json(path: Path) -> Any:
    """Raises ``ValueError`` if the file does not exist or is not JSON."""
    try:
        check_file(path)
        return json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def split_header(content: object, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings, and what was prepared from them, in the content of ``path``.

    Raises ``ValueError`` for a record of another format.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a mapping of settings")
    number = content.get(_NUMBER)
    if number is None:
        raise ValueError(f"{path} has no format number: version 0.1 wrote it, this is 0.2")
    if number != FORMAT:
        age = "a newer" if isinstance(number, int) and number > FORMAT else "another"
        raise ValueError(
            f"{path} has format {number}, of {age} version: this version reads {FORMAT}"
        )
    settings = {k: v for k, v in content.items() if k not in (_NUMBER, _PREPARED)}
    prepared = content.get(_PREPARED, {})
    if not isinstance(prepared, dict):
        raise ValueError(f"{path}: {_PREPARED} is not a mapping")
    return settings, prepared
