"""Notes for the user about columns of texts that were probably meant as something else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainables.data.moments import moment_of
from trainables.data.number_texts import (
    MARKS,
    MISSING,
    NUMBERS,
    SAMPLE,
    Converted,
    is_text,
    other_than,
    sample_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 0.9  # of a column's values: so many show what the column was meant to be
_LISTED = 5  # columns that a note names
_LARGEST_EXACT = 2**53  # as a float of 64 bits
_NUMBER = NUMBERS["."]
# Texts that are read as dates, or as times of day.
_DATE = r"\d{4}[-/]\d\d[-/]\d\d([ T].*)?|\d\d\.\d\d\.\d{4}([ T].*)?|\d\d:\d\d.*"
_SIGNS = re.compile(r"[\s$€£%'\"\u2212]")  # the last one is a minus sign
_WITH_UNIT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+) ?(?P<unit>[^\W\d_]\D{0,9})")
_LIKE_A_NUMBER = re.compile(
    rf"[+-]?\d{{1,3}}([,.']\d{{3}})*([.,]\d+)?|[+-]?\d+([.,]\d+)?|{_NUMBER}"
)
_LIKE_A_DATE = re.compile(
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d{2})"
    r"|\d{1,2}[- ][A-Za-z]{3,9}\.?[- ,]+(\d{4}|\d{2})|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})([ T,].*)?"
    r"|(19|20)\d\d-(0[1-9]|1[0-2])|\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?"
)
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_HAS_LEADING_ZERO = re.compile(r"0\d\d+")  # of more digits than a day or a month has
# Names of columns that tell rows apart. pandas and R write such columns without being asked.
_NAMES_OF_ROWS = re.compile(r"(.*[\W_])?id|.*(Id|ID)|(Unnamed: \d+)?|index|rownames")


def told_of_converted(converted: Sequence[Converted]) -> Iterator[str]:
    """Which columns were converted in a way that may not have been intended."""
    marked = [(column.name, column.mark) for column in converted if column.mark is not None]
    if marked:
        mark = repr(marked[0][1]) if marked[0][1] else "a blank"
        yield f"{listed([n for n, _ in marked])}: {mark} among numbers counts as missing"
    commas = [(column.name, column.comma) for column in converted if column.comma is not None]
    if commas:
        value = commas[0][1]
        yield (f"{listed([n for n, _ in commas])}: the comma is a decimal mark, as in {value!r}")


def told_of_texts(
    table: pa.Table, known: Collection[str] = (), *, typed: bool = False
) -> Iterator[str]:
    """Which columns of texts look like numbers or dates, except the columns in ``known``. ``typed``
    says whether the file itself gives its columns types."""
    # By kind, for each column a value: one that is not of the kind, or one that looks like it.
    written: dict[str, dict[str, str]] = {"number": {}, "date": {}}
    stored: dict[str, dict[str, str]] = {"number": {}, "date": {}}
    mixed: list[str] = []
    for field in table.schema:
        if field.name in known or not is_text(field.type):
            continue
        column = table.column(field.name)
        if with_unit := _with_unit(column):
            written["number"][field.name] = with_unit
            continue
        for kind, is_like, pattern in (
            ("number", _is_like_a_number, _NUMBER),
            ("date", _is_like_a_date, _DATE),
        ):
            if not _most(column, is_like):
                continue
            odd = _odd(column, is_like, pattern)
            if kind == "date" and not odd:
                odd = next((v or " " for v in sample_of(column) if _is_no_moment(v)), "")[:40]
            if odd:
                written[kind][field.name] = odd
            elif typed:
                stored[kind][field.name] = next(filter(is_like, sample_of(column)))
            elif kind == "date":
                mixed.append(field.name)
            break
    for kind, example in (("number", "-1234.5"), ("date", "2013-01-31 or 05:30")):
        if names := list(written[kind]):
            odd = written[kind][names[0]]
            yield f"{listed(names)}: read as text: {odd!r} is not a {kind} such as {example}"
        if names := list(stored[kind]):
            value = stored[kind][names[0]][:40]
            yield (
                f"{listed(names)}: texts that look like {kind}s, such as {value!r}: store them as "
                f"{kind}s if they are"
            )
    if mixed:
        yield (
            f"{listed(mixed)}: read as text: dates of more than one form, such as with and without "
            "a time zone: write all alike"
        )


def told_of_points(
    table: pa.Table, written: Mapping[str, Sequence[str]], known: Collection[str] = ()
) -> Iterator[str]:
    """Which columns of numbers, except those in ``known``, may have thousands separators that were
    read as decimal points: exactly three digits follow each point in the values ``written``."""
    import pyarrow as pa

    doubtful: dict[str, str] = {}
    for field in table.schema:
        if field.name in known or not pa.types.is_floating(field.type):
            continue
        pointed = [value for value in written.get(field.name, ()) if "." in value]
        if pointed and all(map(_MAY_BE_THOUSANDS.fullmatch, pointed)):
            doubtful[field.name] = pointed[0]
    if names := list(doubtful):
        yield (
            f"{listed(names)}: the point is a decimal point, as in {doubtful[names[0]]!r}: leave "
            "it out of the file if it separates thousands"
        )


def told_of_codes(
    table: pa.Table, written: Mapping[str, Sequence[str]], known: Collection[str] = ()
) -> Iterator[str]:
    """Which columns of numbers, except those in ``known``, are ``written`` as codes of equal length
    with leading zeros, such as postcodes."""
    import pyarrow as pa

    for field in table.schema:
        if field.name in known or not pa.types.is_integer(field.type):
            continue
        values = [value for value in written.get(field.name, ()) if value]
        padded = next(filter(_HAS_LEADING_ZERO.fullmatch, values), None)
        if padded is not None and len(set(map(len, values))) == 1:
            name = shlex.quote(field.name)
            yield f"{name}: numbers such as {padded}: --category {name} if they are codes"


def told_of_days(table: pa.Table, known: Collection[str] = ()) -> Iterator[str]:
    """Which columns of whole numbers, except those in ``known``, are probably days such as
    20130131."""
    import pyarrow as pa

    days: dict[str, int] = {}
    for field in table.schema:
        if field.name in known or not pa.types.is_integer(field.type):
            continue
        column = table.column(field.name).drop_null()
        values = [column[i].as_py() for i in range(0, len(column), -(-len(column) // SAMPLE) or 1)]
        if values and all(map(_is_day, values)):
            days[field.name] = values[0]
    if names := list(days):
        yield (
            f"{listed(names)}: numbers such as {days[names[0]]}: write them as dates such as "
            "2013-01-31 if they are"
        )


def told_of_counters(table: pa.Table, known: Collection[str] = ()) -> Iterator[str]:
    """Which columns may only count or name the rows, except the columns in ``known``."""
    import pyarrow as pa
    from pyarrow import compute

    for field in table.schema:
        if field.name in known or not pa.types.is_integer(field.type):
            continue
        name, column = shlex.quote(field.name), table.column(field.name)
        if _counts(column):
            yield f"{name}: rises by 1 from row to row: --drop {name} if it only counts the rows"
        elif _names_rows(field.name, column):
            yield f"{name}: different in every row: --drop {name} if it only names the rows"
        elif any(
            abs(end or 0) > _LARGEST_EXACT for end in compute.min_max(column).as_py().values()
        ):
            yield (
                f"{name}: whole numbers beyond 2^53, rounded to 16 digits: --drop {name}, or "
                f"--category {name} if they are names"
            )


def _counts(column: pa.ChunkedArray) -> bool:
    """Whether each value is larger by 1 than the value before."""
    if column.null_count:
        return False
    following = column[0].as_py()
    if column[-1].as_py() - following != len(column) - 1:  # this rules out most columns quickly
        return False
    for values in (piece.to_numpy() for piece in column.chunks if len(piece)):
        if values[0] != following or (np.diff(values) != 1).any():
            return False
        following = int(values[-1]) + 1
    return True


def _names_rows(name: str, column: pa.ChunkedArray) -> bool:
    """Whether the column has the name of an id or an index, and each row has another value."""
    from pyarrow import compute

    if column.null_count or not _NAMES_OF_ROWS.fullmatch(name):
        return False
    return bool(compute.count_distinct(column).as_py() == len(column))


def _most(column: pa.ChunkedArray, is_like: Callable[[str], bool]) -> bool:
    """Whether ``is_like`` holds for most values of the column, or for more than half of them if all
    others are the same text, such as n.a."""
    values = [value for value in sample_of(column) if value not in MARKS]
    others = [value for value in values if not is_like(value)]
    if len(set(others)) == 1:
        return 2 * len(others) < len(values)
    return bool(values) and len(values) - len(others) >= MOST * len(values)


def _with_unit(column: pa.ChunkedArray) -> str:
    """The first value, such as 12.5 kg, if all values are different numbers with one unit; else an
    empty text."""
    values = [value for value in sample_of(column) if value not in MARKS]
    matches = [_WITH_UNIT.fullmatch(value) for value in values]
    units = {match and match["unit"] for match in matches}
    return values[0][:40] if len(units) == 1 and None not in units and len({*values}) > 1 else ""


def _odd(column: pa.ChunkedArray, is_like: Callable[[str], bool], pattern: str) -> str:
    """A value because of which the column is read as text; empty if there is none, as in a Parquet
    file of texts."""
    unlike = (value for value in sample_of(column) if value not in MARKS and not is_like(value))
    return (next(unlike, None) or other_than(column, f"{pattern}|{MISSING}") or "")[:40]


def _is_like_a_number(value: str) -> bool:
    return _LIKE_A_NUMBER.fullmatch(_SIGNS.sub("", value)) is not None


def _is_like_a_date(value: str) -> bool:
    return _LIKE_A_DATE.fullmatch(value) is not None


def _is_day(value: int) -> bool:
    if not 1900_01_01 <= value <= 2099_12_31:
        return False
    return not _is_no_moment(f"{value // 10_000}-{value // 100 % 100:02}-{value % 100:02}")


def _is_no_moment(value: str) -> bool:
    try:
        moment_of(value)
    except ValueError:
        return True
    return False


def listed(names: Sequence[str], most: int = _LISTED) -> str:
    """The first few names."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
