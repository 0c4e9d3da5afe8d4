"""How the columns of a table become inputs of a network.

There are four kinds of columns. Each is a frozen value that JSON can hold, fitted on the train rows
alone:

- a number is standardised. A missing value becomes the median, and a value outside the range of the
  train rows becomes the nearest end of the range;
- a category has one input of 0 or 1 for each of its commonest values, and one for all other values.
  If it has too many values for this, another input is the standardised logarithm of how often the
  value occurs in the train rows; a value that occurs once counts as a new value. If there are no
  other values, a new value counts as the commonest;
- a date becomes such a number, and the sine and cosine of its place in the year, the month, the
  week and the day, each only if it varies;
- a column is left out if it has no value, only one value, or no value that occurs twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from trainables.data.moments import moment_of
from trainables.data.number_texts import NUMBERS, Decimal, is_text, numbers_of

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 32  # most values of a category that have an input of their own
MOST_COUNTED = 10_000  # most values of a category whose counts are kept; others count as new
LEAST_COUNT = 2  # of a value with its own input: a value that occurs once teaches nothing
FLOAT32_MAX = float(np.finfo(np.float32).max)
# How a CSV file may spell truth values, in lower case, and their names in a category.
_TRUTHS = {"1": "True", "true": "True", "0": "False", "false": "False"}


@dataclass(frozen=True)
class Number:
    """A number: one input."""

    kind: ClassVar[str] = "number"
    name: str
    median: float
    mean: float
    std: float
    missing: float = 0.0  # share of the train rows
    ends: tuple[float, float] | None = None  # of the train rows; older models have none
    decimal: Decimal | None = None  # if given, texts of any file are read with it
    width: ClassVar[int] = 1

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        missing = f"; a missing one is the median, {self.median:.4g}" if self.missing else ""
        return f"1 input: {self.mean:.4g} +- {self.std:.4g}, standardised{missing}"

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, 1) float64. Raises ``ValueError`` for a value that is not a number."""
        if self.decimal is not None and is_text(column.type):
            column = numbers_of(self.name, column, self.decimal)
        values = numbers(self.name, column)
        values[np.isnan(values)] = self.median
        if self.ends is not None:  # beyond them a network may output anything; trees clip too
            np.clip(values, *self.ends, out=values)
        values -= self.mean
        values /= self.std
        return values[:, None]


@dataclass(frozen=True)
class Category:
    """One input for each of ``values``, where None stands for a missing value; one for all other
    values if ``other``; and one for how often the value occurs if ``counts`` are given."""

    kind: ClassVar[str] = "category"
    name: str
    values: tuple[str | None, ...]
    other: bool
    of_numbers: bool  # or of dates; then 3, 3.0 and "3" are the same value
    counts: Mapping[str, int] | None = None
    mean: float = 0.0  # of the logarithm of the counts
    std: float = 1.0
    missing: float = 0.0  # share of the train rows
    apart: bool = False  # values with the same count differ by less than 0.1 there
    commonest: int | None = None  # its place, if not ``other``; older models have none

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        n, which = len(self.values), " commonest" if self.counts is not None else ""
        parts = [f"one for each of its {n}{which} values"]
        parts += ["one for all others"] if self.other else []
        parts += ["how often it occurs"] if self.counts is not None else []
        return f"{self.width} inputs: {', '.join(parts)}"

    @property
    def width(self) -> int:
        return len(self.values) + self.other + (self.counts is not None)

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, width) float32. A value that does not occur in the train rows counts as one of the
        other values, or as the commonest value if there are no others.

        Raises ``ValueError`` for lists and other nested values, and for durations.
        """
        codes, texts = self._coded(column)
        places = {value: place for place, value in enumerate(self.values)}
        unknown = len(self.values) if self.other else self.commonest
        unknown = -1 if unknown is None else unknown  # then all its inputs are 0
        place_of = np.array([places.get(text, unknown) for text in texts])
        place = place_of[codes]
        out = np.zeros((len(codes), self.width), np.float32)
        known = np.flatnonzero(place >= 0)
        out[known, place[known]] = 1
        if self.counts is not None:
            logs = _logs(self.counts, self.apart)
            often = np.array([0.0 if text is None else logs.get(text, 0.0) for text in texts])
            out[:, -1] = ((often - self.mean) / self.std)[codes]
        return out

    def _coded(self, column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
        """The result of :func:`dictionary`, with values spelt as in the train rows, because another
        file may spell them differently."""
        import pyarrow as pa

        if pa.types.is_nested(column.type) or pa.types.is_duration(column.type):
            raise ValueError(f"column {self.name!r} has {_shown(column)}, not categories")
        codes, texts = dictionary(column)
        known = dict.fromkeys([*self.values, *(self.counts or ())])
        plain: Callable[[str], str | None]
        if self.of_numbers:
            plain = _plain
        elif known.keys() <= {"True", "False", None}:
            plain = _truth
        elif pa.types.is_boolean(column.type):
            plain = str.lower
        else:
            return codes, texts
        spelt = {text if text is None else plain(text): text for text in known}
        return codes, [t if t is None or t in known else spelt.get(plain(t), t) for t in texts]

    @property
    def steps(self) -> np.ndarray:
        """The values that the last input can take, in increasing order, float32.

        One stands for all values without a count. If values are told ``apart``, each value with a
        count has its own.
        """
        logs = np.array([0.0, *_logs(self.counts or {}, self.apart).values()])
        return np.unique(((logs - self.mean) / self.std).astype(np.float32))


@dataclass(frozen=True)
class Date:
    """A date, a time of day, or both. For a missing value all inputs are 0."""

    kind: ClassVar[str] = "date"
    name: str
    mean: float  # seconds since 1970
    std: float
    cycles: tuple[str, ...]  # names in CYCLES
    missing: float = 0.0  # share of the train rows
    ends: tuple[float, float] | None = None  # of the train rows, in the unit of the mean

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        places = [f"place in the {_CYCLE_OF[cycle]}" for cycle in self.cycles]
        return f"{self.width} input{'s' * (self.width > 1)}: {', '.join(['time', *places])}"

    @property
    def width(self) -> int:
        return 1 + 2 * len(self.cycles)

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, width) float64. Raises ``ValueError`` for a value that is not a date."""
        moments = seconds(self.name, column)
        missing = np.isnat(moments)
        moments = np.where(missing, np.datetime64(0, "s"), moments)
        out = np.empty((len(moments), self.width))
        since = moments.astype(np.int64)
        if self.ends is not None:
            since = np.clip(since, *self.ends)
        out[:, 0] = (since - self.mean) / self.std
        for i, cycle in enumerate(self.cycles):
            angle = 2 * np.pi * _share_of(moments, cycle)
            out[:, 1 + 2 * i], out[:, 2 + 2 * i] = np.sin(angle), np.cos(angle)
        out[missing] = 0
        return out


@dataclass(frozen=True)
class LeftOut:
    """A column that is left out, and why."""

    kind: ClassVar[str] = "left out"
    name: str
    why: str
    missing: float = 0.0  # share of the train rows
    width: ClassVar[int] = 0

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        return f"no input: {self.why}"

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, 0)."""
        return np.empty((len(column), 0), np.float32)


Column = Number | Category | Date | LeftOut
_KINDS: dict[str, type[Any]] = {k.kind: k for k in (Number, Category, Date, LeftOut)}
_CYCLE_OF = {"month": "year", "day": "month", "weekday": "week", "time": "day"}
CYCLES = tuple(_CYCLE_OF)


def fit_column(name: str, column: pa.ChunkedArray, *, as_category: bool = False) -> Column:
    """The kind of a column and its statistics, from its train rows.

    Raises ``ValueError`` for a type that no kind can take, such as a list.
    """
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    if pa.types.is_nested(kind) or _is_bytes(kind):
        raise ValueError(f"column {name!r} has {_shown(column)}: `drop` {name} leaves it out")
    missing = compute.mean(compute.is_null(column, nan_is_null=True)).as_py()
    if missing == 1:
        return LeftOut(name, "it has no value", missing)
    if as_category or pa.types.is_boolean(kind) or is_text(kind):
        fit = _fit_category
    elif pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        fit = _fit_date
    else:
        fit = _fit_number
    return replace(fit(name, column), missing=missing)


def _fit_number(name: str, column: pa.ChunkedArray) -> Column:
    values = numbers(name, column)
    seen = values[~np.isnan(values)]
    if not len(seen):
        return LeftOut(name, "it has no value")
    if seen.min() == seen.max():
        return LeftOut(name, f"it has only the value {seen[0]:g}")
    median = float(np.median(seen))
    values[np.isnan(values)] = median
    ends = float(seen.min()), float(seen.max())
    return Number(name, median, float(values.mean()), float(values.std()) or 1.0, ends=ends)


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
    log_of = _logs(counts, apart=True)
    logs = np.array([0.0 if text is None else log_of.get(text, 0.0) for text in texts])[codes]
    mean, std = float(logs.mean()), float(logs.std()) or 1.0
    return Category(name, known, other, of_numbers, counts, mean, std, apart=True)


def _logs(counts: Mapping[str, int], apart: bool) -> dict[str, float]:
    """The logarithm of each count plus one. With ``apart``, values with the same count get slightly
    different numbers, so that a network can have an embedding of each value."""
    if not apart:
        return {text: math.log1p(count) for text, count in counts.items()}
    same: dict[int, list[str]] = {}
    for text, count in counts.items():
        same.setdefault(count, []).append(text)
    return {
        text: math.log1p(count + 0.1 * place / len(texts))
        for count, texts in same.items()
        for place, text in enumerate(reversed(texts))
    }


def _fit_date(name: str, column: pa.ChunkedArray) -> Column:
    moments = seconds(name, column)
    moments = moments[~np.isnat(moments)]
    if not len(moments) or moments.min() == moments.max():
        return LeftOut(name, "it has only one value")
    cycles = tuple(cycle for cycle in CYCLES if np.ptp(_share_of(moments, cycle)) > 0)
    since = moments.astype(np.int64)
    ends = float(since.min()), float(since.max())
    return Date(name, float(since.mean()), float(since.std()), cycles, ends=ends)


def _share_of(moments: np.ndarray, cycle: str) -> np.ndarray:
    """How much of the cycle is over, in [0, 1)."""
    days = moments.astype("datetime64[D]")
    if cycle == "month":
        return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12 / 12)
    if cycle == "day":
        return np.asarray((days - days.astype("datetime64[M]")).astype(np.int64) / 31)
    if cycle == "weekday":  # 1970 began on a Thursday
        return np.asarray((days.astype(np.int64) + 3) % 7 / 7)
    return np.asarray((moments - days).astype(np.int64) / 86400)


def numbers(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """(n,) float64, in memory of its own.

    Missing values, infinite values and values that float32 cannot hold become NaN. Raises
    ``ValueError`` for values that are not numbers.
    """
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_duration(column.type):
        column = compute.divide(column.cast(pa.duration("us")).cast(pa.int64()), 1e6)
    elif pa.types.is_temporal(column.type):
        moments = seconds(name, column)
        column = pa.chunked_array([np.where(np.isnat(moments), np.nan, moments.astype(float))])
    try:
        values = column.cast(pa.float64(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ValueError(f"column {name!r} has {_shown(column)}, not numbers") from None
    values = np.array(values)  # Arrow may return its own memory
    values[~(np.abs(values) <= FLOAT32_MAX)] = np.nan
    return values


def seconds(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """(n,) datetime64[s], NaT if missing.

    A time of day becomes a time on 1970-01-01. A time with a time zone becomes the local time
    there. Texts are read as dates in a CSV file are.
    """
    import pyarrow as pa
    from pyarrow import compute

    if column.null_count == len(column):  # any type will do: pandas has NaN
        return np.full(len(column), "NaT", "datetime64[s]")
    if is_text(column.type):
        return _seconds_of_texts(name, column)
    try:
        if pa.types.is_integer(column.type):  # Arrow would read it as seconds
            raise pa.ArrowInvalid
        if pa.types.is_time(column.type):
            column = column.cast(pa.time64("us"), safe=False).cast(pa.int64())
            column = compute.divide(column, 1_000_000).cast(pa.timestamp("s"))
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            column = compute.local_timestamp(column)
        return np.asarray(column.cast(pa.timestamp("s"), safe=False).to_numpy(), "datetime64[s]")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ValueError(f"column {name!r} has {_shown(column)}, not dates") from None


def _seconds_of_texts(name: str, column: pa.ChunkedArray) -> np.ndarray:
    codes, texts = dictionary(column)
    moments = np.full(len(texts), "NaT", "datetime64[s]")
    for place, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        try:
            moments[place] = moment_of(text)
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


def _plain(text: str) -> str | None:
    """The same text for "3", "3.0" and "3,0", and for all ways to write the same date."""
    if re.fullmatch(NUMBERS[","], text.strip()):
        text = text.replace(",", ".")
    for number in (int, float):  # a large whole number would lose digits as a float
        with suppress(ValueError):
            return _text(number(text))
    with suppress(ValueError):
        return str(moment_of(text))
    return text


def _truth(text: str) -> str:
    return _TRUTHS.get(text.lower(), text)


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _shown(column: pa.ChunkedArray) -> str:
    """The type in words; for texts, the first one as an example."""
    if is_text(column.type):
        first = next((value for value in column.to_pylist() if value is not None), "")
        return f"texts such as {str(first)[:40]!r}"
    return f"the type {column.type}"


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
        return _is_number(value)
    if field == "missing":
        return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]
    if field == "decimal":
        return value in (None, *NUMBERS)
    if field == "ends":
        return value is None or (
            isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))
        )
    if field == "std":
        return _is_number(value) and value > 0  # type: ignore[operator]
    if field in ("other", "of_numbers", "apart"):
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


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(value))  # type: ignore[call-overload]
