"""Tabular data: scikit-learn's embedded tables, CSV and Parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from trainables.data.csv_form import first_values, form_of
from trainables.data.doubtful_values import told_of_placeholders, told_of_spellings
from trainables.data.doubts import (
    listed,
    told_of_codes,
    told_of_converted,
    told_of_counters,
    told_of_days,
    told_of_points,
    told_of_texts,
)
from trainables.data.leakage import told_of_leaks
from trainables.data.number_texts import MARKS, Converted, Decimal, is_text, with_numbers
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import AS_IT_LOOKS, Reading
from trainables.data.table_files import read_table, table_suffix
from trainables.data.table_inputs import fit_table
from trainables.data.table_streams import missing_texts, stream_table
from trainables.data.targets import ClassKind, class_kind, encode_target, is_known
from trainables.data.values import FLOAT32_MAX

if TYPE_CHECKING:
    import pyarrow as pa

MIN_ROWS = 10
MAX_LISTED_COLUMNS = 10
OUTLIER = 0.9  # share of a quantity's variance
FEW = 0.01  # share of a quantity's values
SKEWED = 0.5  # share of the variance that FEW values make up: of normal ones 0.08, exponential 0.2


@dataclass(frozen=True)
class Table:
    """Feature columns and a target before splitting and encoding."""

    features: pa.Table
    """One row per sample. The types are those of the file, or those that it looks like."""
    y: np.ndarray
    """(n,) int64 indices into class_names, or float64 values in the target's own unit."""
    task: Literal["classification", "regression"]
    class_names: tuple[str, ...]
    fingerprint: str
    """sha256 hex of the file and how it is read, or of an embedded table's values."""
    target: str | None = None
    """The name of the target column; None for an embedded table."""
    categories: tuple[str, ...] = ()
    """Columns that are categories, even if they look like numbers."""
    decimals: Mapping[str, Decimal] = field(default_factory=dict)
    """The decimal marks of columns that Arrow alone might read differently in another file."""
    class_kind: ClassKind | None = None
    """What the classes are in the target's column; None for texts."""
    n_official_test: int = 0
    notes: tuple[str, ...] = ()
    """What a user should know about how the file was read."""

    def fit(self, train: np.ndarray) -> Preprocessing:
        """The preprocessing, fitted on the rows ``train``.

        Raises:
            ValueError: in these rows, no feature column has anything to learn from.
        """
        inputs = fit_table(self.features, train, self.categories, self.decimals)
        if self.task == "classification":
            kind = self.class_kind
            return Preprocessing(inputs, self.class_names, self.target, class_kind=kind)
        mean, std = float(self.y[train].mean()), float(self.y[train].std()) or 1.0
        return Preprocessing(inputs, (), self.target, mean, std)

    @property
    def samples(self) -> pa.Table:
        """What a :class:`Preprocessing` takes as samples."""
        return self.features


def read_embedded(name: Literal["breast_cancer", "wine", "diabetes"]) -> Table:
    """Read one of scikit-learn's embedded tables."""
    import pyarrow as pa
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    x, y = bunch.data.astype(np.float64), bunch.target
    digest = hashlib.sha256(np.ascontiguousarray(x).data)
    digest.update(np.ascontiguousarray(y).data)
    columns = {str(column): x[:, i] for i, column in enumerate(bunch.feature_names)}
    features = pa.table(columns)
    if name == "diabetes":
        return Table(features, y.astype(np.float64), "regression", (), digest.hexdigest())
    names = tuple(str(label) for label in bunch.target_names)
    return Table(features, y.astype(np.int64), "classification", names, digest.hexdigest())


def read_file(path: Path, target: str, reading: Reading = AS_IT_LOOKS) -> Table:
    """Read a CSV or Parquet file with a header; rows without a target are dropped.

    Raises:
        ValueError: the file cannot be read, has too few rows, lacks the target or a column that
            ``reading`` names, or has no column besides the target.
    """
    table, decimal = read_table(path)
    if not len(table):
        raise ValueError(f"'{path}' has no rows: at least {MIN_ROWS} are needed")
    _check_columns(path, table.column_names, target, reading)
    converted: list[Converted] = []
    decimals: dict[str, Decimal] = {}
    if decimal is not None:
        table, converted, decimals = with_numbers(table, decimal, reading.category)
    # Before rows are left out: a row of totals without a target may make a column one of texts.
    doubts = list(_told_of_doubts(path, table, target, reading, decimal))
    known = is_known(target, table.column(target))
    n_known = int(known.sum())
    if n_known < MIN_ROWS:
        raise ValueError(
            f"'{path}' has {n_known} rows with a value in target {target!r}: "
            f"at least {MIN_ROWS} are needed"
        )
    notes: list[str] = []
    if n_known < len(table):
        notes += _told_of_unknown(path, target, table.column(target), known)
        table = table.filter(known)
    y, task, names = encode_target(target, table.column(target), reading.task)
    if task == "regression" and not np.ptp(y) > 0:
        raise ValueError(f"'{path}': target {target!r} has only the value {y[0]}: nothing to learn")
    notes += _told_of_outlier(target, y) if task == "regression" else _told_of_marks(target, names)
    features = table.drop_columns([target, *reading.drop])
    if all(column.null_count == len(column) for column in features.columns):
        raise ValueError(f"'{path}' has no value in any column besides the target {target!r}")
    notes += told_of_converted([c for c in converted if c.name not in reading.drop])
    notes += doubts
    notes += told_of_leaks(features, target, y, task)
    return Table(
        features,
        y,
        task,
        names,
        _fingerprint(path, target, reading, [column.name for column in converted]),
        target,
        reading.category,
        decimals,
        class_kind(table.column(target)) if names else None,
        notes=tuple(notes),
    )


def _told_of_doubts(
    path: Path, table: pa.Table, target: str, reading: Reading, decimal: Decimal | None
) -> Iterator[str]:
    """Which columns may have been meant as something else. ``decimal`` is the decimal mark of a CSV
    file."""
    settled = (*reading.drop, *reading.category)
    yield from told_of_texts(table, settled, typed=decimal is None)
    yield from told_of_spellings(table, settled)
    if decimal is not None:
        written = first_values(path)
        yield from told_of_codes(table, written, (target, *settled))
        if decimal == "." and form_of(path)[0] != ",":  # where a comma may be a decimal mark
            yield from told_of_points(table, written, settled)
    yield from told_of_days(table, settled)
    yield from told_of_placeholders(table, settled)
    yield from told_of_counters(table, (target, *settled))


def _told_of_unknown(
    path: Path, target: str, column: pa.ChunkedArray, known: np.ndarray
) -> Iterator[str]:
    """Why rows are left out: those that are not ``known``."""
    from pyarrow import compute

    of, missing = f"of {len(column)} rows have", int((~known).sum())
    if is_text(column.type) and table_suffix(path) != ".parquet":
        for text, count in missing_texts(path, target).items():
            missing -= count
            yield (
                f"{count} {of} {text!r} as {target}, which counts as missing: left out; rename it "
                "to keep it as a class"
            )
    elif endless := missing - compute.sum(compute.is_null(column, nan_is_null=True)).as_py():
        missing -= endless
        yield f"{endless} {of} a {target} that is infinite, or beyond {FLOAT32_MAX:.2g}: left out"
    if missing:
        yield f"{missing} {of} no {target}: left out"


def _told_of_marks(target: str, names: Sequence[str]) -> Iterator[str]:
    """Which class is called as a missing value among numbers is."""
    if marks := [name for name in names if name.strip() in MARKS]:
        yield f"{target}: {marks[0]!r} is a class: leave it blank if it stands for a missing value"


def _told_of_outlier(target: str, y: np.ndarray) -> Iterator[str]:
    """Which value of a quantity makes up most of its variance, so that it decides all scores; or
    whether a few large values do."""
    squares = ((y - np.median(y)) / np.ptp(y)) ** 2
    share = squares.max() / squares.sum()
    if share >= OUTLIER:
        yield (
            f"{target}: the value {y[squares.argmax()]:g} alone makes up {share:.0%} of the "
            "variance: leave its row out if it is a mistake"
        )
    elif y.min() >= 0 and (few := int(FEW * len(y))):
        share = np.sort(squares)[-few:].sum() / squares.sum()
        if share >= SKEWED:
            yield (
                f"{target}: {FEW:.0%} of its values make up {share:.0%} of the variance, and so "
                "decide all scores but val_mae: its logarithm may be a better target"
            )


def _check_columns(path: Path, names: list[str], target: str, reading: Reading) -> None:
    for name in (target, *reading.drop, *reading.category):
        if name not in names:
            raise ValueError(f"'{path}' has no column {name!r}: it has {_listed(names)}")
    if target in reading.drop:
        raise ValueError(f"`drop` {target}: that is the target")
    if not set(names) - {target, *reading.drop}:
        raise ValueError(f"'{path}' has no feature columns besides the target {target!r}")


def columns_of(path: Path) -> str:
    """The names of the first columns of a file, to be shown. Raises ``ValueError`` as
    :func:`read_file` does."""
    return _listed(next(stream_table(path)).column_names)


def _listed(names: list[str]) -> str:
    return listed([repr(name) for name in names], MAX_LISTED_COLUMNS)


def _fingerprint(path: Path, target: str, reading: Reading, numbers: Sequence[str]) -> str:
    """The hash of the file, and of everything that determines how it is read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(b"\0target\0" + target.encode(errors="surrogateescape"))
    if reading != AS_IT_LOOKS:
        digest.update(repr(reading).encode())
    if numbers:  # older versions read these columns as texts
        digest.update(b"\0numbers\0" + repr(numbers).encode(errors="surrogateescape"))
    return digest.hexdigest()
