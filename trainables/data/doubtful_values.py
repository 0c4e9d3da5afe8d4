"""Notes for the user about values that were probably meant as something else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from trainables.data.doubts import listed
from trainables.data.number_texts import is_text

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_TEXTS = 10_000  # different texts; of names and sentences there may be millions
_PLACEHOLDERS = re.compile(r"-?9{3,}|-99|9999-12-31|(0001|1900|1970)-01-01")


def told_of_placeholders(table: pa.Table, known: Collection[str] = ()) -> Iterator[str]:
    """Which columns, except those in ``known``, have a number such as 999 or a date such as
    9999-12-31 that may stand for a missing value: it is far from all others, or the only negative
    number."""
    import pyarrow as pa

    found: dict[str, dict[str, str]] = {"numbers": {}, "dates": {}}
    for field in table.schema:
        kind, column = field.type, table.column(field.name)
        if field.name in known:
            continue
        if pa.types.is_float16(kind):  # of which Arrow does not find the ends
            column = column.cast(pa.float32())
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            odd, what = _placeholder(column), "numbers"
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            odd, what = _placeholder(column), "dates"
        else:
            continue
        if odd:
            found[what][field.name] = odd
    for what, odd_of in found.items():
        if names := list(odd_of):
            yield (
                f"{listed(names)}: {what} such as {odd_of[names[0]]}, far from all others: leave "
                "them blank if they stand for missing values"
            )


def _placeholder(column: pa.ChunkedArray) -> str | None:
    """The least or the greatest value of the column, as a text, if it may stand for no value."""
    from pyarrow import compute

    for end in _ends(column):
        with suppress(ValueError, OverflowError):  # a year that Python does not know
            value = end.as_py()
            are_dates = isinstance(value, date)
            text = str(value)[:10] if are_dates else f"{value:.15g}"
            if not _PLACEHOLDERS.fullmatch(text):
                continue
            others = _ends(column.filter(compute.not_equal(column, end)))
            if not others:
                continue
            low, high = (other.as_py() for other in others)
            is_far = min(abs(low - value), abs(high - value)) > high - low
            if is_far or (not are_dates and value < 0 <= low):
                return text
    return None


def _ends(column: pa.ChunkedArray) -> tuple[pa.Scalar, ...]:
    """The least and the greatest value; empty if there is none."""
    from pyarrow import compute

    both = compute.min_max(column)
    return tuple(end for end in (both["min"], both["max"]) if end.is_valid)


def told_of_spellings(table: pa.Table, known: Collection[str] = ()) -> Iterator[str]:
    """Which columns of texts, except those in ``known``, have texts that differ only in case or
    blanks."""
    found: dict[str, tuple[str, str]] = {}
    for field in table.schema:
        if field.name in known or not is_text(field.type):
            continue
        if alike := _alike(_texts_of(table.column(field.name))):
            found[field.name] = alike
    if names := list(found):
        first, second = (repr(text[:40]) for text in found[names[0]])
        yield (
            f"{listed(names)}: texts such as {first} and {second} differ only in case or blanks: "
            "write them alike if they are the same"
        )


def _alike(texts: Collection[str]) -> tuple[str, str] | None:
    """The first two of the texts that differ only in case or blanks."""
    seen: dict[str, str] = {}
    for text in texts:
        first = seen.setdefault(" ".join(text.split()).casefold(), text)
        if first != text:
            return first, text
    return None


def _texts_of(column: pa.ChunkedArray) -> Collection[str]:
    """The different texts, in their order; none if there are too many."""
    import pyarrow as pa

    texts: dict[str, None] = {}
    for piece in column.chunks:
        coded = piece if pa.types.is_dictionary(piece.type) else piece.dictionary_encode()
        if len(coded.dictionary) > _MOST_TEXTS:
            return ()
        texts |= dict.fromkeys(coded.dictionary.drop_null().to_pylist())
    return texts if len(texts) <= _MOST_TEXTS else ()
