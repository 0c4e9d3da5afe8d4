"""How the columns of a table become inputs of a network.

There are four kinds of columns. Each is a frozen value that JSON can hold, fitted on the train rows
alone:

- a number is standardised. A missing value becomes the median, and a value outside the range of the
  train rows becomes the nearest end of the range. If values are missing in at least two train rows,
  another input is 1 for a missing value and 0 for any other;
- a category has one input of 0 or 1 for each of its commonest values, and one for all other values.
  If it has too many values for this, another input is the standardised logarithm of how often the
  value occurs in the train rows; a value that occurs once counts as a new value. If there are no
  other values, a new value counts as the commonest;
- a date becomes such a number, and the sine and cosine of its place in the year, the month, the
  week and the day, each only if it varies. If dates are missing in at least two train rows, another
  input says so, as for a number;
- a column is left out if it has no value, only one value, or no value that occurs twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trainables.data.number_texts import Decimal, is_text, numbers_of
from trainables.data.values import (
    FLOAT32_MAX,
    FLOAT64_MAX,
    dictionary,
    is_bytes,
    numbers,
    plain_text,
    seconds,
    shown_type,
    truth_value,
)

if TYPE_CHECKING:
    import pyarrow as pa

_CYCLE_OF = {"month": "year", "day": "month", "weekday": "week", "time": "day"}
CYCLES = tuple(_CYCLE_OF)


@dataclass(frozen=True)
class Number:
    """A number: one input, and one that says whether it is missing."""

    kind: ClassVar[str] = "number"
    name: str
    median: float
    mean: float
    std: float
    missing: float = 0.0  # share of the train rows
    ends: tuple[float, float] | None = None  # of the train rows; older models have none
    decimal: Decimal | None = None  # if given, texts of any file are read with it
    tells_missing: bool = False  # whether there is the second input; older models have none

    @property
    def width(self) -> int:
        """The number of inputs."""
        return 2 if self.tells_missing else 1

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        missing = f" (the median, {self.median:.4g}, if missing)" if self.missing else ""
        value = f"{self.mean:.4g} +- {self.std:.4g}, standardised{missing}"
        if self.tells_missing:
            return f"2 inputs: {value}, whether it is missing"
        return f"1 input: {value}"

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, 1 or 2) float64. Raises ``ValueError`` for a value that is not a number."""
        values = self._numbers(column)
        unknown = np.isnan(values)
        values[unknown] = self.median
        if self.ends is not None:  # beyond them a network may output anything; trees clip too
            np.clip(values, *self.ends, out=values)
        values -= self.mean
        values /= self.std
        return np.stack([values, unknown], 1) if self.tells_missing else values[:, None]

    def new_values(self, column: pa.ChunkedArray) -> list[str]:
        """The rows' values outside the range of the train rows."""
        values = self._numbers(column)
        return [f"{value:.10g}" for value in values[_outside(values, self.ends)]]

    def _numbers(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n,) float64, NaN if missing."""
        import pyarrow as pa

        kind = column.type
        if is_text(kind):
            column = numbers_of(self.name, column, self.decimal or ".")
        is_date = pa.types.is_temporal(kind) and not pa.types.is_duration(kind)
        if is_date and column.null_count < len(column):
            raise ValueError(f"column {self.name!r} has {shown_type(column)}, not numbers")
        return numbers(self.name, column, FLOAT32_MAX if self.ends is None else FLOAT64_MAX)


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

        Raises ``ValueError`` for lists and other nested values, for bytes and for durations.
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
            logs = log_counts(self.counts, self.apart)
            often = np.array([0.0 if text is None else logs.get(text, 0.0) for text in texts])
            out[:, -1] = ((often - self.mean) / self.std)[codes]
        return out

    def new_values(self, column: pa.ChunkedArray) -> list[str]:
        """The rows' values that did not occur in the train rows, or only once."""
        codes, texts = self._coded(column)
        known = {*self.values, *(self.counts or ()), None}
        is_new = np.array([text not in known for text in texts])
        return [str(texts[code]) for code in codes[is_new[codes]]]

    def _coded(self, column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
        """The result of :func:`dictionary`, with values spelt as in the train rows, because another
        file may spell them differently."""
        import pyarrow as pa

        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        stored = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        if pa.types.is_nested(stored) or pa.types.is_duration(kind) or is_bytes(kind):
            raise ValueError(f"column {self.name!r} has {shown_type(column)}, not categories")
        codes, texts = dictionary(column)
        known = dict.fromkeys([*self.values, *(self.counts or ())])
        plain: Callable[[str], str | None]
        if self.of_numbers:
            plain = plain_text
        elif known.keys() <= {"True", "False", None}:
            plain = truth_value
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
        logs = np.array([0.0, *log_counts(self.counts or {}, self.apart).values()])
        return np.unique(((logs - self.mean) / self.std).astype(np.float32))


@dataclass(frozen=True)
class Date:
    """A date, a time of day, or both. For a missing value all inputs are 0, except one that says
    whether it is missing."""

    kind: ClassVar[str] = "date"
    name: str
    mean: float  # seconds since 1970
    std: float
    cycles: tuple[str, ...]  # names in CYCLES
    missing: float = 0.0  # share of the train rows
    ends: tuple[float, float] | None = None  # of the train rows, in the unit of the mean
    zone: str | None = None  # of the train rows; times with any zone are converted to it
    tells_missing: bool = False  # whether the last input does; older models have no such input

    @property
    def becomes(self) -> str:
        """The inputs that the column becomes, in words."""
        parts = ["time", *(f"place in the {_CYCLE_OF[cycle]}" for cycle in self.cycles)]
        parts += ["whether it is missing"] if self.tells_missing else []
        return f"{self.width} input{'s' * (self.width > 1)}: {', '.join(parts)}"

    @property
    def width(self) -> int:
        return 1 + 2 * len(self.cycles) + self.tells_missing

    def encode(self, column: pa.ChunkedArray) -> np.ndarray:
        """(n, width) float64. Raises ``ValueError`` for a value that is not a date."""
        moments = seconds(self.name, column, self.zone)
        missing = np.isnat(moments)
        moments = np.where(missing, np.datetime64(0, "s"), moments)
        out = np.empty((len(moments), self.width))
        since = moments.astype(np.int64)
        if self.ends is not None:
            since = np.clip(since, *self.ends)
        out[:, 0] = (since - self.mean) / self.std
        for i, cycle in enumerate(self.cycles):
            angle = 2 * np.pi * share_of(moments, cycle)
            out[:, 1 + 2 * i], out[:, 2 + 2 * i] = np.sin(angle), np.cos(angle)
        out[missing] = 0
        if self.tells_missing:
            out[:, -1] = missing
        return out

    def new_values(self, column: pa.ChunkedArray) -> list[str]:
        """The rows' values outside the range of the train rows."""
        moments = seconds(self.name, column, self.zone)
        moments = moments[~np.isnat(moments)]
        outside = moments[_outside(moments.astype(np.int64), self.ends)]
        return [str(moment).replace("T", " ") for moment in outside]


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


def _outside(values: np.ndarray, ends: tuple[float, float] | None) -> np.ndarray:
    """(n,) whether each value is outside of ``ends``; NaN is not."""
    low, high = (-np.inf, np.inf) if ends is None else ends
    return np.asarray((values < low) | (values > high))


def log_counts(counts: Mapping[str, int], apart: bool) -> dict[str, float]:
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


def share_of(moments: np.ndarray, cycle: str) -> np.ndarray:
    """How much of the cycle is over, in [0, 1)."""
    days = moments.astype("datetime64[D]")
    if cycle == "month":
        return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12 / 12)
    if cycle == "day":
        return np.asarray((days - days.astype("datetime64[M]")).astype(np.int64) / 31)
    if cycle == "weekday":  # 1970 began on a Thursday
        return np.asarray((days.astype(np.int64) + 3) % 7 / 7)
    return np.asarray((moments - days).astype(np.int64) / 86400)
