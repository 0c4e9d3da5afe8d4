"""The kind of a column of a table and its statistics, from the train rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trainables.data.columns import (
    CYCLES,
    Category,
    Column,
    Date,
    LeftOut,
    Number,
    log_counts,
    share_of,
)
from trainables.data.number_texts import is_text
from trainables.data.values import dictionary, is_bytes, numbers, seconds, shown_type

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 32  # most values of a category that have an input of their own
MOST_COUNTED = 10_000  # most values of a category whose counts are kept; others count as new
LEAST_COUNT = 2  # of a value with its own input: what occurs once teaches nothing


def fit_column(name: str, column: pa.ChunkedArray, *, as_category: bool = False) -> Column:
    """The kind of a column and its statistics, from its train rows.

    Raises ``ValueError`` for a type that no kind can take, such as a list.
    """
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    extended = isinstance(kind, pa.BaseExtensionType)  # such as UUID or JSON
    if extended or pa.types.is_nested(kind) or is_bytes(kind):
        raise ValueError(f"column {name!r} has {shown_type(column)}: `drop` {name} leaves it out")
    missing = compute.mean(compute.is_null(column, nan_is_null=True)).as_py()
    if missing == 1:
        return LeftOut(name, "it has no value", missing)
    if as_category or pa.types.is_boolean(kind) or is_text(kind):
        return replace(_fit_category(name, column), missing=missing)
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return replace(_fit_date(name, column), missing=missing)
    return _fit_number(name, column)


def _fit_number(name: str, column: pa.ChunkedArray) -> Column:
    values = numbers(name, column)
    unknown = np.isnan(values)
    missing = float(unknown.mean())
    tells_missing = int(unknown.sum()) >= LEAST_COUNT
    seen = values[~unknown]
    if not len(seen):
        return LeftOut(name, "it has no value", missing)
    if seen.min() == seen.max() and not tells_missing:
        return LeftOut(name, f"it has only the value {seen[0]:g}", missing)
    median = float(np.median(seen))
    values[unknown] = median
    mean, std = float(values.mean()), float(values.std()) or 1.0
    ends = float(seen.min()), float(seen.max())
    return Number(name, median, mean, std, missing, ends, tells_missing=tells_missing)


def _fit_category(name: str, column: pa.ChunkedArray) -> Column:
    import pyarrow as pa

    of_numbers = not is_text(column.type) and not pa.types.is_boolean(column.type)
    codes, texts = dictionary(column)
    totals: dict[str | None, int] = {}
    for text, count in zip(texts, np.bincount(codes, minlength=len(texts)).tolist(), strict=True):
        totals[text] = totals.get(text, 0) + count
    totals = {text: count for text, count in totals.items() if count}
    if len(totals) == 1:
        return LeftOut(name, f"it has only the value {next(iter(totals))!r}")
    ordered = sorted(totals, key=lambda text: (-totals[text], text is not None, text or ""))
    often = [text for text in ordered if totals[text] >= LEAST_COUNT]
    if not [text for text in often if text is not None]:
        return LeftOut(name, "none of its values occurs twice")
    kept = often[:MOST_VALUES]
    known = tuple(sorted(kept, key=lambda text: (text is not None, text or "")))
    other = len(kept) < len(totals)
    if len(often) <= MOST_VALUES:
        commonest = None if other else known.index(ordered[0])
        return Category(name, known, other, of_numbers, commonest=commonest)
    counts = {text: totals[text] for text in often[:MOST_COUNTED] if text is not None}
    log_of = log_counts(counts, apart=True)
    logs = np.array([0.0 if text is None else log_of.get(text, 0.0) for text in texts])[codes]
    mean, std = float(logs.mean()), float(logs.std()) or 1.0
    return Category(name, known, other, of_numbers, counts, mean, std, apart=True)


def _fit_date(name: str, column: pa.ChunkedArray) -> Column:
    import pyarrow as pa

    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    moments = seconds(name, column)
    unknown = np.isnat(moments)
    tells_missing = int(unknown.sum()) >= LEAST_COUNT
    moments = moments[~unknown]
    if not len(moments) or (moments.min() == moments.max() and not tells_missing):
        return LeftOut(name, "it has only one value")
    cycles = tuple(cycle for cycle in CYCLES if np.ptp(share_of(moments, cycle)) > 0)
    since = moments.astype(np.int64)
    ends = float(since.min()), float(since.max())
    mean, std = float(since.mean()), float(since.std()) or 1.0
    return Date(name, mean, std, cycles, ends=ends, zone=zone, tells_missing=tells_missing)
