"""Columns of a CSV file that Arrow takes for texts, and that hold numbers all the same: with a
decimal comma, or with a mark for what is missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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
MISSING = "|".join(map(re.escape, MARKS))
_KEY = b"decimal mark"  # in the metadata of a column that Arrow alone may read otherwise elsewhere


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
) -> tuple[pa.Table, list[Converted]]:
    """The table of a file whose decimal mark is ``decimal``, in which columns that hold nothing but
    numbers and MARKS are of numbers; ``texts`` stay as they are.

    Where a file has decimal points, a column has decimal commas if one of its commas can be no
    thousand mark: 1,234 alone may be either, and stays a text.
    """
    import pyarrow as pa

    found = []
    for place, field in enumerate(table.schema):
        if decimal == "," and (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            field = field.with_metadata({_KEY: decimal})
            table = table.set_column(place, field, table.column(place))
        if field.name in texts or not _is_text(field.type):
            continue
        column = table.column(place)
        marks: tuple[Decimal, ...] = (",",) if decimal == "," else (".", ",")
        for mark in marks:
            if (pieces := _holds_numbers(column, mark)) is None:
                continue
            is_other = mark != decimal
            comma = _first_other(pieces, f"{_WHOLE}|{MISSING}") if is_other else None
            if is_other and comma is None:
                continue
            values = _numbers(pieces, mark)
            field = pa.field(field.name, values.type, metadata={_KEY: mark})
            table = table.set_column(place, field, values)
            found.append(Converted(field.name, _first_other(pieces, NUMBERS[mark]), comma))
            break
    return table, found


def decimal_of(field: pa.Field) -> Decimal | None:
    """The decimal mark of a column that was of texts, or is in a file with decimal commas; None of
    another, which is read as any file's numbers are."""
    mark: Any = (field.metadata or {}).get(_KEY, b"").decode()
    return mark or None


def numbers_of(name: str, texts: pa.ChunkedArray, decimal: Decimal) -> pa.ChunkedArray:
    """float64, null for MARKS; where commas are decimal, a point is too.

    Raises ``ValueError`` with the first text that is no number.
    """
    pieces = list(_coded(texts))
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
    from pyarrow import compute

    for _, texts in pieces:
        others = texts.filter(
            compute.invert(compute.match_substring_regex(texts, f"^({pattern})$"))
        )
        if len(others):
            return str(others[0].as_py())
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


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))
