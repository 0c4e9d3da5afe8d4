"""Notes for the user about columns that alone tell the target."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from trainables.data.doubts import listed
from trainables.data.number_texts import is_text
from trainables.data.values import dictionary, numbers
from trainables.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 2000  # a random sample of the rows is looked at
_LEAST = 3  # rows that show what a value, or a range of numbers, tells
# Of the rows that are not in the commonest class, or of a quantity's variance: so much may be told
# wrongly.
_MISSED = 0.01
_RANK_CORRELATION = 0.999  # of a column of numbers with a quantity


def told_of_leaks(features: pa.Table, target: str, y: np.ndarray, task: Task) -> Iterator[str]:
    """Which columns alone tell the target ``y`` of nearly every row.

    A column tells the class if nearly all rows of each value, or of each range of numbers, have the
    same class. It tells a quantity if it rises or falls with it, or if the quantity hardly varies
    within each value of a column of texts.
    """
    if len(y) > _ROWS:
        rows = np.random.default_rng(0).choice(len(y), _ROWS, replace=False)
        features, y = features.take(rows), y[rows]
    tells = _tells_class if task == "classification" else _tells_quantity
    leaks: list[str] = []
    for name in features.column_names:
        with suppress(ValueError):  # such as a list: fitting the column says so
            if tells(features.column(name), y):
                leaks.append(shlex.quote(name))
    if len(leaks) == 1:
        yield f"{leaks[0]}: alone tells {target}: --drop {leaks[0]} if it is only known afterwards"
    elif leaks:
        yield (
            f"{listed(leaks)}: each alone tells {target}: --drop those that are only known "
            "afterwards"
        )


def _tells_class(column: pa.ChunkedArray, y: np.ndarray) -> bool:
    n_classes = int(y.max()) + 1
    values = _numbers(column)
    codes = dictionary(column)[0] if values is None else np.unique(values, return_inverse=True)[1]
    pairs, counts = np.unique(codes * n_classes + y, return_counts=True)
    order = np.lexsort((counts, pairs // n_classes))
    value, of_class, counts = pairs[order] // n_classes, pairs[order] % n_classes, counts[order]
    last = np.append(value[1:] != value[:-1], True)  # the commonest class of each value
    of_class, counts = of_class[last], counts[last]
    if values is not None:  # values in a row with the same class are a range
        start = np.flatnonzero(np.append(True, of_class[1:] != of_class[:-1]))
        counts = np.add.reduceat(counts, start)
    missed = len(y) - counts[counts >= _LEAST].sum()
    return bool(missed <= _MISSED * (len(y) - np.bincount(y).max()))


def _tells_quantity(column: pa.ChunkedArray, y: np.ndarray) -> bool:
    values = _numbers(column)
    if values is None:
        codes = dictionary(column)[0]
        counts = np.bincount(codes)
        means = np.bincount(codes, y) / np.maximum(counts, 1)
        missed = y - np.where(counts >= _LEAST, means, y.mean())[codes]
        return bool(missed @ missed <= _MISSED * len(y) * y.var())
    known = np.isfinite(values)
    values, y = values[known], y[known]
    if 2 * len(y) < len(known):
        return False
    x, y = (np.unique(v, return_inverse=True)[1].astype(float) for v in (values, y))
    x, y = x - x.mean(), y - y.mean()
    return bool(abs(x @ y) >= _RANK_CORRELATION * np.sqrt((x @ x) * (y @ y)) > 0)


def _numbers(column: pa.ChunkedArray) -> np.ndarray | None:
    """(n,) numbers or moments; None for texts and truth values."""
    import pyarrow as pa

    if is_text(column.type) or pa.types.is_boolean(column.type):
        return None
    return numbers("", column)
