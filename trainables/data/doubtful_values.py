"""Notes for the user about values that were probably meant as something else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from trainables.data.doubts import listed
from trainables.data.number_texts import is_text

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_TEXTS = 10_000  # different texts; of names and sentences there may be millions
_NINES = re.compile(r"-?9{3,}|-99")


def told_of_nines(table: pa.Table, known: Collection[str] = ()) -> Iterator[str]:
    """Which columns of numbers, except those in ``known``, have a value such as 999 or -99 that may
    stand for a missing one: it is far from all others, or the only negative one."""
    import pyarrow as pa

    found: dict[str, str] = {}
    for field in table.schema:
        are_numbers = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        if are_numbers and field.name not in known:
            column = table.column(field.name)
            if odd := [end for end in _ends(column) if _is_odd(column, end)]:
                found[field.name] = f"{odd[0]:.15g}"
    if names := list(found):
        yield (
            f"{listed(names)}: numbers such as {found[names[0]]}, far from all others: leave them "
            "blank if they stand for missing values"
        )


def _is_odd(column: pa.ChunkedArray, end: float) -> bool:
    """Whether ``end``, the least or the greatest number of the column, may stand for no value."""
    from pyarrow import compute

    if not _NINES.fullmatch(f"{end:.15g}"):
        return False
    others = _ends(column.filter(compute.not_equal(column, end)))
    if not others:
        return False
    low, high = others
    return min(abs(low - end), abs(high - end)) > high - low or end < 0 <= low


def _ends(column: pa.ChunkedArray) -> tuple[float, ...]:
    """The least and the greatest number; empty if there is none."""
    from pyarrow import compute

    return tuple(end for end in compute.min_max(column).as_py().values() if end is not None)


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
