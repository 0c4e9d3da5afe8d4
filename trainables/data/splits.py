"""Which rows of a data set are for training, for validation and for the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.data.images import Images
from trainables.data.tables import Table

Raw = Images | Table

MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Split:
    """Row numbers of the three disjoint parts."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_rows(raw: Raw, source: str, seed: int) -> Split:
    """Train, validation and test rows: 60/20/20, stratified for a classification.

    If there is an official test split, the other rows are split 80/20.
    """
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
    return Split(train, val, test)


def _check_classes(raw: Raw, source: str, rows: np.ndarray, parts: tuple[str, ...]) -> None:
    """Raises ``ValueError`` unless there are two or more classes, each with a row for each part."""
    names = raw.class_names
    if len(names) < 2:
        raise ValueError(
            f"{source!r} has only the class {names[0]!r}: a classification needs at least 2"
        )
    counts = np.bincount(raw.y[rows], minlength=len(names))
    rarest = int(counts.argmin())
    if counts[rarest] < len(parts):
        if isinstance(raw, Table) and len(names) > len(rows) / 2 and raw.class_kind is None:
            odd = next(filter(_is_no_number, names), None)
            numbers = "numbers must be written like -1234.5"
            if odd is None:  # in a Parquet file
                numbers = "store them as numbers if they are"
            raise ValueError(
                f"{source!r}: target {raw.target!r} was read as texts such as "
                f"{odd or names[rarest]!r}, "
                f"{len(names)} different ones in {len(rows)} rows: these are not classes: {numbers}"
            )
        are_numbers = isinstance(raw, Table) and raw.class_kind == "number"
        hint = "; `task` regression reads the numbers as a quantity" if are_numbers else ""
        samples = "sample" if counts[rarest] == 1 else "samples"
        raise ValueError(
            f"{source!r}: class {names[rarest]!r} has {counts[rarest]} {samples}: every class "
            f"needs at least {len(parts)}, one each for {', '.join(parts[:-1])} and {parts[-1]}"
            + hint
        )


def _is_no_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return True
    return False


def _hold_out(rows: np.ndarray, raw: Raw, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits `rows` into kept rows and `size` held-out rows, both with every class."""
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


def subset(rows: np.ndarray, raw: Raw, fraction: float, seed: int) -> np.ndarray:
    """A share of the rows of each class, at least one; for a regression, a share of all rows."""
    if fraction == 1:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels = raw.y[shuffled] if raw.task == "classification" else np.zeros(len(rows))
    taken = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        taken.append(members[: max(1, round(fraction * len(members)))])
    return shuffled[np.sort(np.concatenate(taken))]


def fold_rows(raw: Raw, source: str, pool: np.ndarray, k: int, seed: int) -> list[Split]:
    """``k`` splits of ``pool`` into train and validation, stratified for a classification.

    Each row is a validation row in one split. The test parts are empty.

    Raises:
        ValueError: a class, or the pool, has fewer than ``k`` rows.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if len(pool) < k:
        raise ValueError(f"{source!r} has {len(pool)} samples for {k} folds: every fold needs one")
    if raw.task == "classification":
        counts = np.bincount(raw.y[pool], minlength=len(raw.class_names))
        rarest = int(counts.argmin())
        if counts[rarest] < k:
            raise ValueError(
                f"{source!r}: class {raw.class_names[rarest]!r} has {counts[rarest]} samples "
                f"for {k} folds: every fold needs one"
            )
        parts = StratifiedKFold(k, shuffle=True, random_state=seed).split(pool, raw.y[pool])
    else:
        parts = KFold(k, shuffle=True, random_state=seed).split(pool)
    return [Split(pool[train], pool[val], pool[:0]) for train, val in parts]
