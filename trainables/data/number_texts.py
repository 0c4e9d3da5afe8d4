"""Columns of a CSV file that Arrow reads as texts although they hold numbers: with a decimal comma,
or with a mark for missing values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Decimal: TypeAlias = Literal[".", ","]
MARKS = ("", "-", "?")  # for a missing value among numbers, with or without blanks around
SAMPLE = 200  # values of a column that are checked first

_END = r"([eE][+-]?\d+)?|[+-]?inf"
NUMBERS: dict[Decimal, str] = {
    ".": rf"[+-]?(\d+\.?\d*|\.\d+){_END}",
    ",": rf"[+-]?(\d+,?\d*|,\d+){_END}",
}
_WHOLE = r"[+-]?\d+|[+-]?[1-9]\d{0,2}(,\d{3})+"  # in which a comma may be a thousands separator
_POINTS = r"[+-]?[1-9]\d{0,2}(\.\d{3})+"  # in which points may be thousands separators
MISSING = "|".join(map(re.escape, MARKS))


@dataclass(frozen=True)
class Converted:
    """A column of texts that has become a column of numbers."""

    name: str
    mark: str | None
    """The first of MARKS that occurs in it."""
    comma: str | None
    """The first value with a decimal comma, if the file itself has decimal points."""


def with_numbers(
    table: pa.Table, decimal: Decimal, texts: Collection[str] = ()
) -> tuple[pa.Table, list[Converted], dict[str, Decimal]]:
    """Converts columns of texts that hold nothing but numbers and MARKS to columns of numbers.

    ``decimal`` is the decimal mark of the file; the columns ``texts`` stay as they are. Returns the
    table, the converted columns and decimal marks: those of the converted columns, and of all
    numbers if ``decimal`` is a comma. Without these marks Arrow may read another file differently.

    In a file with decimal points, a column has decimal commas if one of its commas cannot be a
    thousands separator. A column with only values such as 1,234 may have either and stays a text.
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
    """``texts`` as float64, null for MARKS. If the comma is the decimal mark, a point is one too.

    Raises ``ValueError``, which names the first text that is not a number, or that may be either of
    two numbers, such as 1.010.
    """
    import pyarrow as pa
    from pyarrow import compute

    if decimal == "." and not pa.types.is_dictionary(texts.type):
        with suppress(pa.ArrowInvalid):  # without marks this is four times as fast
            return compute.utf8_trim_whitespace(texts).cast(pa.float64())
    pieces = list(_coded(texts))
    if decimal == "," and (doubtful := _first(pieces, _POINTS)) is not None:
        raise ValueError(
            f"column {name!r} has {doubtful[:40]!r}, whose point may be a thousands separator or a "
            "decimal point: write it with a decimal comma, or without the point"
        )
    try:
        return _numbers(pieces, decimal)
    except pa.ArrowInvalid:
        pattern = f"{NUMBERS[decimal]}|{NUMBERS['.']}|{MISSING}"
        wrong = _first_other(pieces, pattern) or ""
        raise ValueError(f"column {name!r} has {wrong[:40]!r}, which is not a number") from None


def sample_of(texts: pa.ChunkedArray) -> Iterator[str]:
    """Some values, spread evenly over the column."""
    for place in range(0, len(texts), -(-len(texts) // SAMPLE) or 1):
        if (value := texts[place].as_py()) is not None:
            yield value.strip()


def other_than(texts: pa.ChunkedArray, pattern: str) -> str | None:
    """The first value that does not match ``pattern``; blanks around it are ignored."""
    return _first_other(list(_coded(texts)), pattern)


_Coded: TypeAlias = "tuple[pa.Array, pa.Array]"


def _coded(texts: pa.ChunkedArray) -> Iterator[_Coded]:
    """For each piece, places in its distinct texts, and these texts without blanks around them."""
    import pyarrow as pa
    from pyarrow import compute

    for piece in texts.chunks:
        coded = piece if pa.types.is_dictionary(piece.type) else piece.dictionary_encode()
        yield coded.indices, compute.utf8_trim_whitespace(coded.dictionary.cast(pa.string()))


def _holds_numbers(texts: pa.ChunkedArray, decimal: Decimal) -> list[_Coded] | None:
    """The pieces of the column if it holds only numbers and MARKS, and at least one number."""
    pattern = f"{NUMBERS[decimal]}|{MISSING}"
    if not all(re.fullmatch(pattern, value) for value in sample_of(texts)):
        return None  # this rules out most texts quickly
    pieces = list(_coded(texts))
    if _first_other(pieces, pattern) is not None or _first_other(pieces, MISSING) is None:
        return None
    return pieces


def _first_other(pieces: Sequence[_Coded], pattern: str) -> str | None:
    return _first(pieces, pattern, other=True)


def _first(pieces: Sequence[_Coded], pattern: str, other: bool = False) -> str | None:
    """The first text that matches ``pattern``; with ``other``, the first that does not."""
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
