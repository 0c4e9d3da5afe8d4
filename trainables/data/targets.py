"""The column that is predicted: classes, or a quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainables.data.columns import dictionary, numbers
from trainables.data.number_texts import is_text
from trainables.training.metrics import Task

if TYPE_CHECKING:
    import pyarrow as pa

MAX_INTEGER_CLASSES = 20


def is_known(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """(n,) whether each row has a target: a value, and a finite one of a number."""
    if _has_names(column):
        return np.asarray(column.is_valid().to_numpy())
    return np.asarray(~np.isnan(numbers(name, column)))


def encode_target(
    name: str, column: pa.ChunkedArray, task: Task | None = None
) -> tuple[np.ndarray, Task, tuple[str, ...]]:
    """Indices of classes, or values; and the names of the classes, those of numbers in their order.

    Texts, truth values and at most MAX_INTEGER_CLASSES different whole numbers are classes, unless
    ``task`` says otherwise; other numbers, and dates in seconds, are a quantity.

    Raises:
        ValueError: texts are to be a quantity.
    """
    if _has_names(column):
        if task == "regression":
            raise ValueError(f"`task` regression: target {name!r} is of texts, not of numbers")
        codes, texts = dictionary(column)
        labels, y = np.unique(np.array(texts[:-1], dtype=str), return_inverse=True)
        return y[codes].astype(np.int64), "classification", tuple(map(str, labels))
    values = numbers(name, column)
    labels, y = np.unique(values, return_inverse=True)
    whole = bool(np.all(labels == np.round(labels)))
    if task is None:
        few = len(labels) <= MAX_INTEGER_CLASSES and whole
        task = "classification" if few else "regression"
    if task == "regression":
        return values, task, ()
    names = tuple(str(int(label)) if whole else repr(float(label)) for label in labels)
    return y.astype(np.int64), task, names


def _has_names(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    return is_text(column.type) or bool(pa.types.is_boolean(column.type))
