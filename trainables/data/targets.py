"""The target column: classes or a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from trainables.data.number_texts import is_text
from trainables.data.values import dictionary, numbers
from trainables.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

MAX_INTEGER_CLASSES = 20
ClassKind: TypeAlias = Literal["number", "truth"]


def is_known(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """(n,) whether each row has a target: a value, which must be finite if it is a number."""
    if _has_names(column):
        return np.asarray(column.is_valid().to_numpy())
    return np.asarray(~np.isnan(numbers(name, column)))


def encode_target(
    name: str, column: pa.ChunkedArray, task: Task | None = None
) -> tuple[np.ndarray, Task, tuple[str, ...]]:
    """Class indices or values, the task, and the names of the classes.

    Texts, truth values and at most MAX_INTEGER_CLASSES different whole numbers are classes. Other
    numbers, and dates (in seconds), are a quantity. ``task`` overrides this. Classes that are
    numbers are in numerical order.

    Raises:
        ValueError: ``task`` asks for a quantity, but the target holds texts or truth values.
    """
    import pyarrow as pa

    if _has_names(column):
        if task == "regression":
            kind = "texts" if is_text(column.type) else "truth values"
            raise ValueError(f"`task` regression: target {name!r} has {kind}, not numbers")
        codes, texts = dictionary(column)
        labels, y = np.unique(np.array(texts[:-1], dtype=str), return_inverse=True)
        return y[codes].astype(np.int64), "classification", tuple(map(str, labels))
    values = numbers(name, column)
    labels, y = np.unique(values, return_inverse=True)
    whole = bool(np.all(labels == np.round(labels)))
    if task is None:
        few = len(labels) <= MAX_INTEGER_CLASSES and whole
        is_moment = pa.types.is_temporal(column.type)
        task = "classification" if few and not is_moment else "regression"
    if task == "regression":
        return values, task, ()
    names = tuple(str(int(label)) if whole else repr(float(label)) for label in labels)
    return y.astype(np.int64), task, names


def class_kind(column: pa.ChunkedArray) -> ClassKind | None:
    """What the values of the column are as classes; None for texts."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        return "truth"
    return None if is_text(column.type) or pa.types.is_temporal(column.type) else "number"


def classes_of(names: Sequence[str], kind: ClassKind | None) -> np.ndarray:
    """(n_classes,) the values that ``names`` stand for: numbers, truth values or texts.

    Raises ``ValueError`` for a name that does not fit ``kind``.
    """
    if kind == "truth" and set(names) <= {"True", "False"}:
        return np.array([name == "True" for name in names])
    if kind == "number":
        return np.array([int(n) if n.lstrip("-").isdigit() else float(n) for n in names])
    if kind is not None:
        raise ValueError(f"classes {', '.join(map(repr, names))} do not have the kind {kind!r}")
    return np.array(names, dtype=object)


def _has_names(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    return is_text(column.type) or bool(pa.types.is_boolean(column.type))
