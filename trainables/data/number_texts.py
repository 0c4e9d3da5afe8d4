"""Columns of a CSV file that Arrow takes for texts, and that hold numbers all the same: with a
decimal comma, or with a mark for what is missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Decimal: TypeAlias = Literal[".", ","]
MARKS = ("", "-", "?")  # that stand for a missing value among numbers, blanks around them or not
SAMPLE = 200  # values of a column that are looked at first

_END = r"([eE][+-]?\d+)?|[+-]?inf"
NUMBERS: dict[Decimal, str] = {
    ".": rf"[+-]?(\d+\.?\d*|\.\d+){_END}",
    ",": rf"[+-]?(\d+,?\d*|,\d+){_END}",
}
_WHOLE = r"[+-]?\d+|[+-]?[1-9]\d{0,2}(,\d{3})+"  # of which a comma may be a thousand mark
_POINTS = r"[+-]?[1-9]\d{0,2}(\.\d{3})+"  # that may be thousand marks
MISSING = "|".join(map(re.escape, MARKS))


@dataclass(frozen=True)
class Converted:
    """A column that is of numbers now."""

    name: str
    mark: str | None
    """The first of MARKS that it has."""
    comma: str | None
    """The first value with a decimal comma, in a file that has decimal points."""


def with_numbers(
    table: pa.Table, decimal: Decimal, texts: Collection[str] = ()
) -> tuple[pa.Table, list[Converted], dict[str, Decimal]]:
    """The table of a file whose decimal mark is ``decimal``, in which columns that hold nothing but
    numbers and MARKS are of numbers; ``texts`` stay as they are. Also the decimal marks of such
    columns, and of all numbers where ``decimal`` is a comma: Arrow alone may read them otherwise
    elsewhere.

    Where a file has decimal points, a column has decimal commas if one of its commas can be no
    thousand mark: 1,234 alone may be either, and stays a text.
    """
    import pyarrow as pa

    columns = dict(zip(table.column_names, table.columns, strict=True))
    found: list[Converted] = []
    decimals: dict[str, Decimal] = {}
    for name, column in columns.items():
        kind = column.type
        if decimal == "," and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            decimals[name] = decimal
        if name in texts or not is_text(kind):
            continue
        marks: tuple[Decimal, ...] = (",",) if decimal == "," else (".", ",")
        for mark in marks:
            if (pieces := _holds_numbers(column, mark)) is None:
                continue
            is_other = mark != decimal
            comma = _first_other(pieces, f"{_WHOLE}|{MISSING}") if is_other else None
            if is_other and comma is None:
                continue
            columns[name] = _numbers(pieces, mark)
            decimals[name] = mark
            found.append(Converted(name, _first_other(pieces, NUMBERS[mark]), comma))
            break
    return pa.table(columns), found, decimals


def numbers_of(name: str, texts: pa.ChunkedArray, decimal: Decimal) -> pa.ChunkedArray:
    """float64, null for MARKS; where commas are decimal, a point is too.

    Raises ``ValueError`` with the first text that is no number, or may be two: 1.010.
    """
    pieces = list(_coded(texts))
    if decimal == "," and (doubtful := _first(pieces, _POINTS)) is not None:
        raise ValueError(
            f"column {name!r} has {doubtful[:40]!r}, whose point may be a thousand mark or a "
            "decimal one: write it with a decimal comma, or without the point"
        )
    pattern = f"{NUMBERS[decimal]}|{NUMBERS['.']}|{MISSING}"
    if (wrong := _first_other(pieces, pattern)) is not None:
        raise ValueError(f"column {name!r} has {wrong[:40]!r}, which is no number")
    return _numbers(pieces, decimal)


def sample_of(texts: pa.ChunkedArray) -> Iterator[str]:
    """Some values from all over it."""
    for place in range(0, len(texts), -(-len(texts) // SAMPLE) or 1):
        if (value := texts[place].as_py()) is not None:
            yield value.strip()


def other_than(texts: pa.ChunkedArray, pattern: str) -> str | None:
    """The first value that is other than ``pattern``, blanks at its edges aside."""
    return _first_other(list(_coded(texts)), pattern)


_Coded: TypeAlias = "tuple[pa.Array, pa.Array]"


def _coded(texts: pa.ChunkedArray) -> Iterator[_Coded]:
    """Of each piece the places in its different texts, and those without blanks at their edges."""
    import pyarrow as pa
    from pyarrow import compute

    for piece in texts.chunks:
        coded = piece if pa.types.is_dictionary(piece.type) else piece.dictionary_encode()
        yield coded.indices, compute.utf8_trim_whitespace(coded.dictionary.cast(pa.string()))


def _holds_numbers(texts: pa.ChunkedArray, decimal: Decimal) -> list[_Coded] | None:
    """Its pieces, where all are numbers or MARKS, and not MARKS alone."""
    pattern = f"{NUMBERS[decimal]}|{MISSING}"
    if not all(re.fullmatch(pattern, value) for value in sample_of(texts)):
        return None  # as most texts show at once
    pieces = list(_coded(texts))
    if _first_other(pieces, pattern) is not None or _first_other(pieces, MISSING) is None:
        return None
    return pieces


def _first_other(pieces: Sequence[_Coded], pattern: str) -> str | None:
    return _first(pieces, pattern, other=True)


def _first(pieces: Sequence[_Coded], pattern: str, other: bool = False) -> str | None:
    """The first text that is ``pattern``, or other than it."""
    from pyarrow import compute

    for _, texts in pieces:
        fits = compute.match_substring_regex(texts, f"^({pattern})$")
        found = texts.filter(compute.invert(fits) if other else fits)
        if len(found):
            return str(found[0].as_py())
    return None


def _numbers(pieces: Sequence[_Coded], decimal: Decimal) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import compute

    values = []
    for places, texts in pieces:
        plain = compute.replace_substring(texts, ",", ".") if decimal == "," else texts
        plain = compute.if_else(compute.is_in(plain, pa.array(MARKS)), None, plain)
        values.append(plain.cast(pa.float64()).take(places))
    return pa.chunked_array(values, pa.float64())


def is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
