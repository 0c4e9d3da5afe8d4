"""Data for trials: named data sets, table files and image folders, split and normalised.

Every source is split by a seed into train, validation and test. `load` gives the first two,
`load_test` the third, so that nothing which a trial receives contains a test row. All scaling is
fitted on the whole train split, whatever the fraction of it that is returned.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from trainables.images import Images, read_digits, read_folder
from trainables.published import read_published
from trainables.tables import TABLE_SUFFIXES, Table, read_embedded, read_file

Task = Literal["classification", "regression"]
Raw = Images | Table

MAX_SEED = 2**32 - 1

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
    """sha256 hex of all the raw data, before splitting."""

    @property
    def is_image(self) -> bool:
        """Whether a sample is (channels, height, width) and not a row of features."""
        return self.x_train.ndim == 4

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.x_train.shape[1:]


@dataclass(frozen=True)
class TestData:
    """Test rows, shaped like those in TrialData and normalised with the same statistics."""

    __test__ = False  # keeps pytest from collecting the class

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class _Split:
    """Row numbers of the three disjoint parts."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def load(
    source: str, *, target: str | None = None, fraction: float = 1.0, seed: int = 0
) -> TrialData:
    """Load the train and validation splits of a data set.

    Args:
        source: A name in DATASETS, a .csv or .parquet file, or a folder of images with one
            sub-folder per class.
        target: The column to predict; for a table file only, and required there.
        fraction: Share of the train split to return, in (0, 1], stratified, at least one sample per
            class. A smaller fraction's samples are among a larger one's. Validation stays whole.
        seed: Decides the split and the fraction's samples.

    Raises:
        ValueError: with a message of one line which names the bad value and the rule.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction {fraction}: must be greater than 0 and at most 1")
    name, raw = _read(source, target)
    split = _split(raw, source, seed)
    inputs, targets = _fit(raw, source, split.train)
    train = _subset(split.train, raw, fraction, seed)
    return TrialData(
        name=name,
        task=raw.task,
        x_train=inputs(train),
        y_train=targets(train),
        x_val=inputs(split.val),
        y_val=targets(split.val),
        n_classes=len(raw.class_names) or 1,
        class_names=raw.class_names,
        fingerprint=raw.fingerprint,
    )


def load_test(source: str, *, target: str | None = None, seed: int = 0) -> TestData:
    """Load exactly the rows that `load` leaves out for the same source, target and seed.

    Raises:
        ValueError: as `load` does.
    """
    _, raw = _read(source, target)
    split = _split(raw, source, seed)
    inputs, targets = _fit(raw, source, split.train)
    return TestData(inputs(split.test), targets(split.test))


def describe(data: TrialData) -> str:
    """Sizes, shape and task in one line."""
    shape = "x".join(str(side) for side in data.input_shape)
    samples = f"images {shape}" if data.is_image else f"rows of {shape} features"
    kind = "regression" if data.task == "regression" else f"{data.n_classes} classes"
    return (
        f"{data.name}: {len(data.x_train)} train + {len(data.x_val)} validation {samples}, {kind}"
    )


def _read(source: str, target: str | None) -> tuple[str, Raw]:
    """Name and content of a source; DATASETS go before files and folders of the same name."""
    named = DATASETS.get(source)
    try:
        path = Path(source).expanduser()
        is_folder = bool(source.strip()) and path.is_dir()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{source!r} cannot be opened: {error}") from error
    is_table = not named and not is_folder and path.suffix.lower() in TABLE_SUFFIXES
    if not (named or is_folder or is_table):
        raise ValueError(_unknown(source, path))
    if is_table:
        if not path.exists():
            raise ValueError(f"file {source!r} does not exist")
        if target is None:
            raise ValueError(f"file {source!r} needs a target: name the column to predict")
        return path.stem, read_file(path, target)
    if target is not None:
        raise ValueError(
            f"target {target!r} given for {source!r}, which has its own: "
            "only a .csv or .parquet file takes a target"
        )
    return (source, named()) if named else (path.absolute().stem, read_folder(path))


def _unknown(source: str, path: Path) -> str:
    """Why a source is neither a name nor a table file nor a folder."""
    allowed = "a .csv or .parquet file, or a folder of images with one sub-folder per class"
    if source.strip() and path.exists():
        return f"file {source!r} has an unsupported extension {path.suffix!r}: give {allowed}"
    if len(path.parts) > 1:
        return f"file or folder {source!r} does not exist"
    near = difflib.get_close_matches(source.lower(), DATASETS, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown data set {source!r}{hint}: give one of {', '.join(DATASETS)}, {allowed}"


def _split(raw: Raw, source: str, seed: int) -> _Split:
    """60/20/20, stratified for a classification; 80/20 of what an official test split leaves."""
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed {seed}: must be between 0 and {MAX_SEED}")
    rest, test = np.split(np.arange(len(raw.y)), [len(raw.y) - raw.n_official_test])
    parts = ("train", "validation") if len(test) else ("train", "validation", "test")
    if raw.task == "classification":
        _check_classes(raw, source, rest, parts)
    n_least = len(raw.class_names)
    n_val = max(len(rest) // 5, n_least)
    if not len(test):
        rest, test = _hold_out(rest, raw, max(-(-len(rest) // 5), n_least), seed)
    train, val = _hold_out(rest, raw, n_val, seed)
    return _Split(train, val, test)


def _check_classes(raw: Raw, source: str, rows: np.ndarray, parts: tuple[str, ...]) -> None:
    """Raise ValueError unless each of two or more classes has a row for each part."""
    names = raw.class_names
    if len(names) < 2:
        raise ValueError(
            f"{source!r} has only the class {names[0]!r}: a classification needs at least 2"
        )
    counts = np.bincount(raw.y[rows], minlength=len(names))
    rarest = int(counts.argmin())
    if counts[rarest] < len(parts):
        samples = "sample" if counts[rarest] == 1 else "samples"
        raise ValueError(
            f"{source!r}: class {names[rarest]!r} has {counts[rarest]} {samples}: every class "
            f"needs at least {len(parts)}, one each for {', '.join(parts[:-1])} and {parts[-1]}"
        )


def _hold_out(rows: np.ndarray, raw: Raw, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split `rows` into the kept and `size` held-out ones, each with every class."""
    from sklearn.model_selection import train_test_split

    labels = raw.y[rows] if raw.task == "classification" else None
    kept, held = train_test_split(rows, test_size=size, random_state=seed, stratify=labels)
    if labels is None:
        return kept, held
    # train_test_split may leave a rare class out of the held-out part: swap one of its rows in.
    for label in np.setdiff1d(raw.y[kept], raw.y[held]):
        wanted = np.flatnonzero(raw.y[kept] == label)[0]
        spare = np.flatnonzero(raw.y[held] == np.bincount(raw.y[held]).argmax())[0]
        kept[wanted], held[spare] = held[spare], kept[wanted]
    return kept, held


def _subset(rows: np.ndarray, raw: Raw, fraction: float, seed: int) -> np.ndarray:
    """A share of each class (of all rows for a regression), at least one row each."""
    if fraction == 1:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels = raw.y[shuffled] if raw.task == "classification" else np.zeros(len(rows))
    taken = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        taken.append(members[: max(1, round(fraction * len(members)))])
    return shuffled[np.sort(np.concatenate(taken))]


Encoder = Callable[[np.ndarray], np.ndarray]


def _fit(raw: Raw, source: str, train: np.ndarray) -> tuple[Encoder, Encoder]:
    """Functions from row numbers to inputs and to targets, fitted on the train rows only."""
    try:
        inputs = raw.fit_encoder(train)
    except ValueError as error:
        raise ValueError(f"{source!r}: {error}") from error
    if raw.task == "classification":
        return inputs, lambda rows: raw.y[rows]
    mean, std = raw.y[train].mean(), raw.y[train].std() or 1.0
    return inputs, lambda rows: ((raw.y[rows] - mean) / std).astype(np.float32)
