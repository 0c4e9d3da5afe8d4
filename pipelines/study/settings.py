"""The types of settings: frozen groups of fields, each declared once with its default, its check
and its one line of help.

The options of a command, the study file, the record and the Python API all come from this
declaration. A wrong value is a ``ValueError`` that names the field, the value and the rule.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from cyclopts import Group, Parameter
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipelines.cluster.resources import read_share

Scalar: TypeAlias = bool | int | float | str

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1.0,
    **{f"{prefix}b": 1000.0**i for i, prefix in enumerate(("", "k", "m", "g", "t"))},
    **{f"{prefix}ib": 1024.0**i for i, prefix in enumerate(("k", "m", "g", "t"), start=1)},
}
# The rule that a value breaks, by Pydantic's name for the error.
_RULES = {
    "greater_than": "{} is not above {gt:g}",
    "greater_than_equal": "{} is below {ge}, the smallest value allowed",
    "less_than_equal": "{} is above {le:g}, the largest value allowed",
    "int_parsing": "'{}' is not a whole number",
    "int_from_float": "'{}' is not a whole number",
    "float_parsing": "'{}' is not a number",
    "finite_number": "{} is not finite",
    "literal_error": "'{}' is none of {expected}",
}


class Settings(BaseModel):
    """A frozen group of fields. The docstring of a field is its help; unknown fields are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _is_text(cls, values: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return read(values)
        except UnicodeError:  # Pydantic has no message for it
            raise ValueError("a value holds half of a character, which is not allowed") from None


def reason_of(error: ErrorDetails) -> str:
    """The value that is wrong, and the rule that it breaks."""
    context, value = error.get("ctx", {}), error["input"]
    if "error" in context:  # one of our own checks, with its own message
        return str(context["error"])
    rule = _RULES.get(error["type"])
    if rule is None:
        return f"{value}: {error['msg'].replace('Input should', 'should')}"
    shown = f"{value:g}" if isinstance(value, float) else value
    return rule.format(shown, **context)


def explained(error: ValidationError) -> str:
    """The first thing that is wrong, in a line: where, which value, and the rule."""
    first = error.errors()[0]
    return " ".join((".".join(map(str, first["loc"])), reason_of(first))).strip()


def named(name: object, known: Iterable[str]) -> str:
    """``name``, which is not ``known``, and the nearest one, or all if none is near."""
    near = _nearest(str(name), known)
    hint = f" (did you mean {near}?)" if near else f": it has {', '.join(known)}"
    return f"{name}{hint}"


def _nearest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that ``name`` abbreviates or resembles; "" if none."""
    longer = [full for full in known if name and full.startswith(name)]
    return next(iter(longer or get_close_matches(name, known, n=1)), "")


def check_names(given: Mapping[str, Any], groups: Mapping[str, type[Settings]]) -> None:
    """Raises ``ValueError`` for a group or a setting that does not exist, or is elsewhere."""
    for name, values in given.items():
        if name not in groups:
            raise ValueError(_elsewhere(name, groups) or f"there is no group {named(name, groups)}")
        fields = groups[name].model_fields
        for field in values if isinstance(values, Mapping) else ():
            if field not in fields:
                unknown = f"there is no setting {name}.{named(field, fields)}"
                raise ValueError(_elsewhere(field, groups) or unknown)


def _elsewhere(name: str, groups: Mapping[str, type[Settings]]) -> str:
    group = next((group for group, kind in groups.items() if name in kind.model_fields), None)
    return f"`{name}` is in {group}: give {group}={{'{name}': ...}}" if group else ""


def panel(title: str, place: int) -> Parameter:
    """Lists the options of a group of settings under ``title`` in the help of a command."""
    return Parameter(name="*", group=Group(title, sort_key=place))


def one_of(registry: Iterable[str]) -> Callable[[str], str]:
    """A check that a name is in ``registry`` at the time of the check."""

    def check(name: str) -> str:
        if name not in registry:
            near = _nearest(name, registry)
            hint = f" (did you mean '{near}'?)" if near else ""
            raise ValueError(f"'{name}' is none of {', '.join(registry)}{hint}")
        return name

    return check


def read_seconds(value: object) -> object:
    """Seconds in ``90s``, ``20m``, ``1h30m`` or ``2d``; numbers are seconds."""
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", value)
    if not parts or "".join(number + unit for number, unit in parts) != value.strip():
        raise ValueError(f"'{value}' is not a duration: write 90s, 20m, 1h30m or 2d")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"'{value}' must be longer than 0")
    return seconds


def read_bytes(value: object) -> object:
    """Bytes in ``2GB``, ``500 MB`` or ``1.5GiB``; numbers are bytes."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9.eE+-]+?)\s*([a-zA-Z]*)\s*", value)
    unit = _BYTES.get(match[2].lower()) if match else None
    try:
        number = float(match[1]) if match else math.nan
    except ValueError:
        number = math.nan
    if unit is None or not math.isfinite(number):
        raise ValueError(f"'{value}' is not an amount of memory: write 2GB, 500MB or 1.5GiB")
    if number <= 0:
        raise ValueError(f"'{value}' must be above 0")
    return number * unit


def read_scalar(value: object) -> object:
    """The number or truth value that a text stands for, else the text. A whole number
    in an unusual form, such as 01, may be the name of an option, and stays a text.

    Raises ``ValueError`` for other types, and for a number that is not finite.
    """
    if value is None:
        raise ValueError("no value is given")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if isinstance(value, Iterable | date) and not isinstance(value, str):
        raise ValueError(f"{value!r} is not a number, truth value or text")
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return int(value) if str(int(value)) == value else value
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value


def pairs(form: str) -> Callable[[object], object]:
    """Reads ``NAME=VALUE`` texts into a mapping. A mapping is returned as it is."""

    def check(value: object) -> object:
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        found: dict[str, str] = {}
        for entry in value:
            name, _, text = str(entry).partition("=")
            if not (name and text):
                raise ValueError(f"'{entry}' is not of the form {form}")
            if name in found:
                raise ValueError(f"'{entry}': {name} is given twice")
            found[name] = text
        return found

    return check


def _bounds(text: object) -> object:
    if isinstance(text, list | tuple) and len(text) == 2:
        return text
    low, dots, high = str(text).partition("..")
    if not (low and dots and high):
        raise ValueError(f"'{text}' is not of the form LOW..HIGH")
    return low, high


def _not_empty(value: object) -> object:
    """Refuses "", the value of an unset shell variable: pathlib makes it the working directory."""
    if value == "":
        raise ValueError("'' is not a path: leave the option out, or write . for this folder")
    return value


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a number")
    return value


def _entries(form: str) -> Parameter:
    """An option that may be repeated, ``NAME=VALUE`` each time."""
    return Parameter(n_tokens=-1, accepts_keys=False, negative="", metavar=form)


_Number = BeforeValidator(_no_truth_value)
Whole: TypeAlias = Annotated[int, _Number]
Real: TypeAlias = Annotated[float, _Number]
Positive: TypeAlias = Annotated[Real, Field(gt=0)]
Count: TypeAlias = Annotated[Whole, Field(ge=1)]
AtLeastTwo: TypeAlias = Annotated[Whole, Field(ge=2)]
NotNegative: TypeAlias = Annotated[Whole, Field(ge=0)]
Seconds: TypeAlias = Annotated[
    float, Field(gt=0), BeforeValidator(read_seconds), _Number, Parameter(metavar="DURATION")
]
Memory: TypeAlias = Annotated[
    float, Field(gt=0), BeforeValidator(read_bytes), _Number, Parameter(metavar="AMOUNT")
]
Columns: TypeAlias = Annotated[tuple[str, ...], Parameter(metavar="COLUMN")]
File: TypeAlias = Annotated[Path, BeforeValidator(_not_empty), Parameter(metavar="FILE")]
Folder: TypeAlias = Annotated[Path, BeforeValidator(_not_empty), Parameter(metavar="FOLDER")]
Place: TypeAlias = Annotated[str, BeforeValidator(_not_empty), Parameter(metavar="PATH|URI")]
Share: TypeAlias = Annotated[float | str, BeforeValidator(read_share), Parameter(metavar="GPUS")]
Reading: TypeAlias = Annotated[Scalar, BeforeValidator(read_scalar)]
Values: TypeAlias = Annotated[
    Mapping[str, Reading], BeforeValidator(pairs("NAME=VALUE")), _entries("NAME=VALUE")
]
Levels: TypeAlias = Annotated[
    Mapping[str, Count], BeforeValidator(pairs("NAME=N, such as lr=5")), _entries("NAME=N")
]
Ranges: TypeAlias = Annotated[
    Mapping[str, Annotated[tuple[Reading, Reading], BeforeValidator(_bounds)]],
    BeforeValidator(pairs("NAME=LOW..HIGH")),
    _entries("NAME=LOW..HIGH"),
]


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` with ``changes`` applied, group by group."""
    result = dict(settings)
    for name, value in changes.items():
        group = result.get(name)
        both = isinstance(value, Mapping) and isinstance(group, Mapping)
        result[name] = {**group, **value} if both else value  # type: ignore[dict-item]
    return result
