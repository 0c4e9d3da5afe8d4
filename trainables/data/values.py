"""The values of a column of a table: as numbers, as moments, or as texts."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from trainables.data.moments import moment_of, zone_of
from trainables.data.number_texts import NUMBERS, is_text

if TYPE_CHECKING:
    import pyarrow as pa

FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT64_MAX = float(np.finfo(np.float64).max)
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
# How a CSV file may spell truth values, in lower case, and their names in a category.
_TRUTHS = {"1": "True", "true": "True", "0": "False", "false": "False"}


def numbers(name: str, column: pa.ChunkedArray, largest: float = FLOAT32_MAX) -> np.ndarray:
    """(n,) float64, in memory of its own.

    Missing values, infinite values and values beyond ``largest`` become NaN. Raises ``ValueError``
    for values that are not numbers.
    """
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_duration(column.type):
        counts = column.cast(pa.int64()).cast(pa.float64(), safe=False)
        column = compute.divide(counts, _PER_SECOND[column.type.unit])
    elif pa.types.is_temporal(column.type):
        moments = seconds(name, column)
        column = pa.chunked_array([np.where(np.isnat(moments), np.nan, moments.astype(float))])
    try:
        values = column.cast(pa.float64(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ValueError(f"column {name!r} has {shown_type(column)}, not numbers") from None
    values = np.array(values)  # Arrow may return its own memory
    values[~(np.abs(values) <= largest)] = np.nan
    return values


def seconds(name: str, column: pa.ChunkedArray, zone: str | None = None) -> np.ndarray:
    """(n,) datetime64[s], NaT if missing.

    A time of day becomes a time on 1970-01-01. A time with a time zone becomes the local time in
    ``zone``; if that is None, in its own zone. Texts are read as dates in a CSV file are, so their
    own zone is UTC.
    """
    import pyarrow as pa
    from pyarrow import compute

    if column.null_count == len(column):  # any type will do: pandas has NaN
        return np.full(len(column), "NaT", "datetime64[s]")
    if is_text(column.type):
        return _seconds_of_texts(name, column, zone)
    try:
        if pa.types.is_integer(column.type):  # Arrow would read it as seconds
            raise pa.ArrowInvalid
        if pa.types.is_time(column.type):
            column = column.cast(pa.time64("us"), safe=False).cast(pa.int64())
            column = compute.divide(column, 1_000_000).cast(pa.timestamp("s"))
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            if zone is not None:
                column = column.cast(pa.timestamp(column.type.unit, zone))
            column = compute.local_timestamp(column)
        return np.asarray(column.cast(pa.timestamp("s"), safe=False).to_numpy(), "datetime64[s]")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ValueError(f"column {name!r} has {shown_type(column)}, not dates") from None


def _seconds_of_texts(name: str, column: pa.ChunkedArray, zone: str | None) -> np.ndarray:
    codes, texts = dictionary(column)
    local = zone_of(zone or "UTC")
    moments = np.full(len(texts), "NaT", "datetime64[s]")
    for place, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        try:
            moments[place] = moment_of(text, local)
        except ValueError:
            raise ValueError(
                f"column {name!r} has {text[:40]!r}, which is not a date such as 2013-01-31, "
                "2013-01-31 05:30, 31.01.2013 or 05:30"
            ) from None
    return np.asarray(moments[codes])


def dictionary(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
    """(n,) places in a list of texts, and the list. Its last entry, None, is a missing value."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):  # if there are no rows
        coded = coded.combine_chunks()
    texts: list[str | None] = [_text(value) for value in coded.dictionary.to_pylist()]
    codes = coded.indices.fill_null(len(texts)).to_numpy()
    return codes, [*texts, None]


def _text(value: object) -> str | None:
    """``value`` as a text; the same for 3 and 3.0."""
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    return None if value is None else str(value)


def plain_text(text: str) -> str | None:
    """The same text for "3", "3.0" and "3,0", and for all ways to write the same date."""
    if re.fullmatch(NUMBERS[","], text.strip()):
        text = text.replace(",", ".")
    for number in (int, float):  # a large whole number would lose digits as a float
        with suppress(ValueError):
            return _text(number(text))
    with suppress(ValueError):
        return str(moment_of(text))
    return text


def truth_value(text: str) -> str:
    return _TRUTHS.get(text.lower(), text)


def is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def shown_type(column: pa.ChunkedArray) -> str:
    """The type in words; for texts, the first one as an example."""
    if is_text(column.type):
        first = next((value for value in column.to_pylist() if value is not None), "")
        return f"texts such as {str(first)[:40]!r}"
    return f"the type {column.type}"
