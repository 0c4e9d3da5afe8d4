"""The columns of a table as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from trainables.data.columns import CYCLES, Category, Column, Date, LeftOut, Number
from trainables.data.moments import zone_of
from trainables.data.number_texts import NUMBERS

_KINDS: dict[str, type[Any]] = {k.kind: k for k in (Number, Category, Date, LeftOut)}


def column_to_dict(column: Column) -> dict[str, Any]:
    """The column as values that JSON can hold."""
    content = {"kind": column.kind, **asdict(column)}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in content.items()}


def column_from_dict(content: Mapping[str, Any]) -> Column:
    """The column that :func:`column_to_dict` wrote. Raises ``ValueError`` for anything else."""
    try:
        values = {key: value for key, value in content.items() if key != "kind"}
        values |= {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
        column: Column = _KINDS[content["kind"]](**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a column: {type(error).__name__}: {error}") from None
    if not (isinstance(column.name, str) and all(_is_sound(*pair) for pair in values.items())):
        raise ValueError(f"column {column.name!r} has {values}")
    place = column.commonest if isinstance(column, Category) else None
    if place is not None and place >= len(values["values"]):
        raise ValueError(f"column {column.name!r} has no value at place {place}")
    return column


def _is_sound(field: str, value: object) -> bool:
    if field in ("median", "mean"):
        return _is_finite(value)
    if field == "missing":
        return _is_finite(value) and 0 <= value <= 1  # type: ignore[operator]
    if field == "decimal":
        return value in (None, *NUMBERS)
    if field == "ends":
        return value is None or (
            isinstance(value, tuple) and len(value) == 2 and all(map(_is_finite, value))
        )
    if field == "zone":
        return value is None or (isinstance(value, str) and _is_zone(value))
    if field == "std":
        return _is_finite(value) and value > 0  # type: ignore[operator]
    if field in ("other", "of_numbers", "apart", "tells_missing"):
        return isinstance(value, bool)
    if field == "values":
        return isinstance(value, tuple) and all(isinstance(v, str | None) for v in value)
    if field == "counts":
        return value is None or (
            isinstance(value, dict)
            and all(isinstance(text, str) for text in value)
            and all(type(count) is int and count >= 0 for count in value.values())
        )
    if field == "commonest":
        return value is None or (type(value) is int and value >= 0)
    if field == "cycles":
        return isinstance(value, tuple) and all(cycle in CYCLES for cycle in value)
    return isinstance(value, str)


def _is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except ValueError:
        return False
    return True


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(value))  # type: ignore[call-overload]
