"""Data for trials: named data sets, table files and image folders, split and normalised.

A seed splits every source into train, validation and test. `load` returns the first two and
`load_test` the third, so that a trial never receives a test row. All scaling is fitted on the whole
train split, even if only a fraction of it is returned.

To add a data set, write a function that reads all its rows, and enter it in ``DATASETS``. It
returns a :class:`~trainables.data.tables.Table` (as ``read_embedded`` does) or
:class:`~trainables.data.images.Images` (as ``read_digits`` does), neither split nor scaled. Every
command that uses the data calls it, so it must return the same rows each time.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from trainables.data.images import Images, read_digits, read_folder
from trainables.data.preprocessing import Preprocessing
from trainables.data.published import read_published
from trainables.data.reading import AS_IT_LOOKS, Reading
from trainables.data.splits import Raw, Split, fold_rows, split_rows, subset
from trainables.data.table_files import lean, table_suffix
from trainables.data.tables import columns_of, read_embedded, read_file
from trainables.task import Task

DATASETS: dict[str, Callable[[], Raw]] = {
    "digits": read_digits,
    "breast_cancer": partial(read_embedded, "breast_cancer"),
    "wine": partial(read_embedded, "wine"),
    "diabetes": partial(read_embedded, "diabetes"),
    "mnist": partial(read_published, "mnist"),
    "fashion_mnist": partial(read_published, "fashion_mnist"),
    "cifar10": partial(read_published, "cifar10"),
}


@dataclass(frozen=True)
class TrialData:
    """What a trial receives: train and validation, never test."""

    name: str
    """A name in DATASETS, or the stem of the file or folder."""
    task: Task
    x_train: np.ndarray
    """float32, (n, features) for tables, (n, channels, height, width) for images."""
    y_train: np.ndarray
    """(n,) int64 class indices, or float32 target in standard deviations of the train split."""
    x_val: np.ndarray
    y_val: np.ndarray
    n_classes: int
    """Number of outputs: 1 for a regression."""
    class_names: tuple[str, ...]
    """In the order of the class indices; empty for a regression."""
    fingerprint: str
    """sha256 hex of all raw data, before splitting."""
    target_mean: float = 0.0
    """Mean target of a regression's train split, in the target's own units."""
    target_std: float = 1.0
    """Standard deviation of the target, likewise."""
    class_weights: tuple[float, ...] = ()
    """The weight of a sample of each class in the loss; empty if all weights are equal."""
    preprocessing: Preprocessing | None = None
    """What made the inputs, and can make inputs of new samples; None for data made by hand."""
    notes: tuple[str, ...] = ()
    """What a user should know about how the data were read."""

    @property
    def class_shares(self) -> np.ndarray:
        """The share of each class in the train samples, as they count in the loss: (n_classes,).

        No share is 0: a class without samples counts as if it had one.
        """
        counts = np.bincount(self.y_train, minlength=self.n_classes).clip(min=1)
        weighted = counts * np.array(self.class_weights or 1.0)
        return np.asarray(weighted / weighted.sum())

    @property
    def is_image(self) -> bool:
        """Whether a sample is (channels, height, width) rather than a row of features."""
        return self.x_train.ndim == 4

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.x_train.shape[1:]

    @property
    def nbytes(self) -> int:
        """Bytes that a trial receives."""
        return sum(a.nbytes for a in (self.x_train, self.y_train, self.x_val, self.y_val))


@dataclass(frozen=True)
class TestData:
    """Test rows, shaped like those in TrialData and normalised with the same statistics."""

    __test__ = False  # keeps pytest from collecting the class

    x: np.ndarray
    y: np.ndarray


def load(
    source: str,
    *,
    target: str | None = None,
    fraction: float = 1.0,
    seed: int = 0,
    reading: Reading = AS_IT_LOOKS,
) -> TrialData:
    """Load the train and validation splits of a data set.

    Args:
        source: A name in DATASETS, a .csv or .parquet file, or a folder of images with one
            sub-folder per class.
        target: The column to predict. A table file requires it; other sources must not have it.
        fraction: Share of the train split to return, in (0, 1], stratified, at least one sample per
            class. A larger fraction contains the samples of a smaller one. The validation split is
            always whole.
        seed: Determines the split and the samples of the fraction.
        reading: The user's corrections for a table that is not what it looks like.

    Raises:
        ValueError: the message is one line that names the bad value and the rule.
    """
    with lean():
        name, raw, split = _read_split(source, target, fraction, seed, reading)
        found = _trial_data(name, raw, source, split, fraction, seed)
        del raw
    return found


def load_folds(
    source: str,
    k: int,
    *,
    target: str | None = None,
    fraction: float = 1.0,
    seed: int = 0,
    reading: Reading = AS_IT_LOOKS,
) -> tuple[TrialData, ...]:
    """Load ``k`` folds of the train and validation splits of `load`: each sample validates once.

    Each fold is normalised with the statistics of its own train part, and keeps ``fraction`` of
    that part. The test split is the same as without folds.

    Raises:
        ValueError: as `load` does, and if a class has fewer than ``k`` samples.
    """
    name, raw, split = _read_split(source, target, fraction, seed, reading)
    pool = np.sort(np.concatenate([split.train, split.val]))
    return tuple(
        _trial_data(name, raw, source, fold, fraction, seed)
        for fold in fold_rows(raw, source, pool, k, seed)
    )


def load_test(
    source: str, *, target: str | None = None, seed: int = 0, reading: Reading = AS_IT_LOOKS
) -> TestData:
    """Load exactly the rows that `load` leaves out for the same source, target, seed and reading.

    Raises:
        ValueError: as `load` does.
    """
    _, raw = _read(source, target, reading)
    split = split_rows(raw, source, seed)
    fitted = _fit(raw, source, split.train)
    inputs = fitted.transform(raw.samples, split.test)
    return TestData(inputs, _targets(raw, fitted, split.test))


def with_balanced_classes(data: TrialData) -> TrialData:
    """The same data with equal weight of all classes in the loss, as with scikit-learn's "balanced"
    weights: the weight of a sample is proportional to one over the frequency of its class.

    Raises:
        ValueError: for a regression.
    """
    if data.task == "regression":
        raise ValueError(f"'{data.name}' is a regression: it has no classes to weigh")
    weights = 1 / (data.n_classes * replace(data, class_weights=()).class_shares)
    return replace(data, class_weights=tuple(weights.tolist()))


def describe(data: TrialData) -> str:
    """Sizes, shape and task in one line."""
    shape = "x".join(str(side) for side in data.input_shape)
    samples = f"images {shape}" if data.is_image else f"rows of {shape} features"
    kind = "regression" if data.task == "regression" else f"{data.n_classes} classes"
    return (
        f"{data.name}: {len(data.x_train)} train + {len(data.x_val)} validation {samples}, {kind}"
    )


def _read_split(
    source: str, target: str | None, fraction: float, seed: int, reading: Reading
) -> tuple[str, Raw, Split]:
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction {fraction}: must be greater than 0 and at most 1")
    name, raw = _read(source, target, reading)
    return name, raw, split_rows(raw, source, seed)


def _trial_data(
    name: str, raw: Raw, source: str, split: Split, fraction: float, seed: int
) -> TrialData:
    fitted = _fit(raw, source, split.train)
    train = subset(split.train, raw, fraction, seed)
    return TrialData(
        name=name,
        task=raw.task,
        x_train=fitted.transform(raw.samples, train),
        y_train=_targets(raw, fitted, train),
        x_val=fitted.transform(raw.samples, split.val),
        y_val=_targets(raw, fitted, split.val),
        n_classes=len(raw.class_names) or 1,
        class_names=raw.class_names,
        fingerprint=raw.fingerprint,
        target_mean=fitted.target_mean,
        target_std=fitted.target_std,
        preprocessing=fitted,
        notes=raw.notes,
    )


def _read(source: str, target: str | None, reading: Reading) -> tuple[str, Raw]:
    """Name and content of a source. DATASETS take precedence over files and folders."""
    named = DATASETS.get(source)
    try:
        path = Path(source).expanduser()
        is_folder = bool(source.strip()) and path.is_dir()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{source!r} cannot be opened: {error}") from error
    suffix = None if named or is_folder else table_suffix(path)
    is_table = suffix is not None
    if not (named or is_folder or is_table):
        raise ValueError(_unknown(source, path))
    if suffix is not None:
        if not path.exists():
            raise ValueError(f"file {source!r} does not exist")
        if target is None:
            raise ValueError(
                f"file {source!r} needs a target: name the column to predict, one of "
                f"{columns_of(path)}"
            )
        return path.name[: -len(suffix)], read_file(path, target, reading)
    if target is not None:
        raise ValueError(
            f"target {target!r} given for {source!r}, which has its own: "
            "only a .csv or .parquet file takes a target"
        )
    if reading != AS_IT_LOOKS:
        raise ValueError(f"`drop`, `category` and `task` are for a table file, not for {source!r}")
    return (source, _sound(source, named())) if named else (path.absolute().stem, read_folder(path))


def _sound(name: str, raw: Raw) -> Raw:
    """The content of a data set. Raises ``ValueError`` if a training on it would mean nothing."""
    n, targets = len(raw.samples), len(raw.y)
    if n != targets:
        raise ValueError(f"data set {name!r} has {n} samples and {targets} targets")
    floats = isinstance(raw, Images) and raw.x.dtype.kind == "f"
    if floats and not np.isfinite(raw.samples).all():
        raise ValueError(f"data set {name!r} has pixels that are not finite")
    if not np.isfinite(raw.y).all():
        raise ValueError(f"data set {name!r} has targets that are not finite")
    return raw


def _unknown(source: str, path: Path) -> str:
    """Why a source is not the name of a data set, a table file or a folder."""
    allowed = "a .csv or .parquet file, or a folder of images with one sub-folder per class"
    if source.strip() and path.exists():
        return f"file {source!r} has an unsupported extension {path.suffix!r}: give {allowed}"
    if len(path.parts) > 1:
        return f"file or folder {source!r} does not exist"
    near = difflib.get_close_matches(source.lower(), DATASETS, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown data set {source!r}{hint}: give one of {', '.join(DATASETS)}, {allowed}"


def _fit(raw: Raw, source: str, train: np.ndarray) -> Preprocessing:
    """Fitted on the train rows only."""
    try:
        return raw.fit(train)
    except ValueError as error:
        raise ValueError(f"{source!r}: {error}") from error


def _targets(raw: Raw, fitted: Preprocessing, rows: np.ndarray) -> np.ndarray:
    y: np.ndarray = raw.y[rows]
    if raw.task == "classification":
        return y
    return ((y - fitted.target_mean) / fitted.target_std).astype(np.float32)
