"""Tabular data: scikit-learn's embedded tables, CSV and Parquet files."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from trainables.data.files import check_file

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 10
MAX_INTEGER_CLASSES = 20
MAX_CATEGORIES = 100
MAX_LISTED_COLUMNS = 10
FLOAT32_MAX = float(np.finfo(np.float32).max)
TABLE_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Table:
    """Feature columns and a target before splitting and encoding."""

    features: pd.DataFrame
    """One row per sample; columns are float64 (NaN = missing) or object (strings, no missing)."""
    y: np.ndarray
    """(n,) int64 indices into class_names, or float64 values in the target's own unit."""
    task: Literal["classification", "regression"]
    class_names: tuple[str, ...]
    fingerprint: str
    """sha256 hex of the file and the target's name, or of an embedded table's values."""
    n_official_test: int = 0

    def fit_encoder(self, train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return rows -> float32 (n, features), encoded with what the rows `train` show.

        Raises:
            ValueError: all feature columns are empty in the train rows.
        """
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        seen = self.features.iloc[train]
        filled = [name for name in seen.columns if seen[name].notna().any()]
        if not filled:
            raise ValueError("no feature column has a value in the train rows")
        numbers = [name for name in filled if seen[name].dtype == np.float64]
        categories = [name for name in filled if name not in set(numbers)]
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
            max_categories=MAX_CATEGORIES,
        )
        scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        encoder = ColumnTransformer(
            [("numbers", scaled, numbers), ("categories", one_hot, categories)],
            sparse_threshold=0.0,
        )
        encoder.fit(seen)

        def encode(rows: np.ndarray) -> np.ndarray:
            with warnings.catch_warnings():
                # OneHotEncoder warns about categories it has not seen, which is expected here.
                warnings.simplefilter("ignore", UserWarning)
                values = encoder.transform(self.features.iloc[rows])
            encoded: np.ndarray = np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
            return encoded

        return encode


def read_embedded(name: Literal["breast_cancer", "wine", "diabetes"]) -> Table:
    """Read one of scikit-learn's embedded tables."""
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")(as_frame=True)
    features = bunch.data.astype(np.float64)
    y = bunch.target.to_numpy()
    digest = hashlib.sha256(np.ascontiguousarray(features.to_numpy()).data)
    digest.update(np.ascontiguousarray(y).data)
    if name == "diabetes":
        return Table(features, y.astype(np.float64), "regression", (), digest.hexdigest())
    names = tuple(str(label) for label in bunch.target_names)
    return Table(features, y.astype(np.int64), "classification", names, digest.hexdigest())


def read_file(path: Path, target: str) -> Table:
    """Read a CSV or Parquet file with a header; rows without a target are dropped.

    A target of text, booleans or categories, or of at most MAX_INTEGER_CLASSES distinct integers,
    makes a classification; any other number a regression. Infinite numbers count as missing.

    Raises:
        ValueError: the file cannot be read, has too few rows, lacks the target or any other column.
    """
    content = _content(path)
    frame = _parse(path, content)
    _check_columns(path, frame, target)
    known = _clean(frame[target]).notna().to_numpy()
    if known.sum() < MIN_ROWS:
        raise ValueError(
            f"'{path}' has {known.sum()} rows with a value in target {target!r}: "
            f"at least {MIN_ROWS} are needed"
        )
    frame = frame.loc[known].reset_index(drop=True)
    y, task, names = _encode_target(frame[target])
    if task == "regression" and not np.ptp(y) > 0:
        raise ValueError(f"'{path}': target {target!r} has only the value {y[0]}: nothing to learn")
    features = _clean_features(frame.drop(columns=target))
    if features.isna().all(axis=None):
        raise ValueError(f"'{path}' has no value in any column besides the target {target!r}")
    digest = hashlib.sha256(content)
    digest.update(b"\0target\0" + target.encode())
    return Table(features, y, task, names, digest.hexdigest())


def _content(path: Path) -> bytes:
    try:
        check_file(path)
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error.strerror or error}") from error
    if not content.strip():
        raise ValueError(f"'{path}' is empty: a table needs a header and rows")
    return content


def _parse(path: Path, content: bytes) -> pd.DataFrame:
    import pandas as pd

    kind = path.suffix.lower().lstrip(".")
    try:
        if kind == "csv":
            with warnings.catch_warnings():
                # Else rows longer than the header lose a value, or shift every column by one.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                frame = pd.read_csv(io.BytesIO(content), low_memory=False, index_col=False)
        else:
            frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pandas and pyarrow raise a dozen types on malformed input
        reason = " ".join(str(error).split())
        raise ValueError(f"'{path}' cannot be parsed as {kind}: {reason}") from error
    if kind == "csv":
        _check_header(path, content)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    if frame.empty:
        raise ValueError(f"'{path}' has no rows: at least {MIN_ROWS} are needed")
    return frame


def _check_header(path: Path, content: bytes) -> None:
    """pandas gives the second of two columns of one name another name."""
    import pandas as pd

    header = pd.read_csv(io.BytesIO(content), header=None, nrows=1, dtype=str).iloc[0].dropna()
    twice = header[header.duplicated()]
    if len(twice):
        raise ValueError(f"'{path}' has more than one column {twice.iloc[0]!r}: rename them")


def _check_columns(path: Path, frame: pd.DataFrame, target: str) -> None:
    names = list(frame.columns)
    if target not in names:
        listed = ", ".join(repr(name) for name in names[:MAX_LISTED_COLUMNS])
        more = len(names) - MAX_LISTED_COLUMNS
        listed += f" and {more} more" if more > 0 else ""
        raise ValueError(f"'{path}' has no column {target!r}: it has {listed}")
    if len(names) == 1:
        raise ValueError(f"'{path}' has no feature columns besides the target {target!r}")


def _clean(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return float64 with NaN, or object with strings and NaN for anything not a number."""
    import pandas as pd
    from pandas.api import types

    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        origin = column.min()
        column = (column - origin) / pd.Timedelta(seconds=1)
    if column.dtype == object and types.infer_dtype(column, skipna=True) == "decimal":
        column = column.astype(np.float64)
    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        # What float32, the type of every array a trial receives, cannot hold is missing too.
        values[~(np.abs(values) <= FLOAT32_MAX)] = np.nan
        return pd.Series(values, index=column.index)
    return column.astype(object).map(str, na_action="ignore").astype(object)


def _clean_features(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for name in frame.columns:
        column = _clean(frame[name])
        if column.dtype == object:
            column = column.where(column.notna(), "missing") if column.notna().any() else column
        columns[name] = column
    return pd.DataFrame(columns)


def _encode_target(
    column: pd.Series[Any],
) -> tuple[np.ndarray, Literal["classification", "regression"], tuple[str, ...]]:
    values = _clean(column).to_numpy()
    if values.dtype == np.float64:
        labels, y = np.unique(values, return_inverse=True)
        if len(labels) > MAX_INTEGER_CLASSES or not np.all(labels == np.round(labels)):
            return values, "regression", ()
        names = tuple(str(int(label)) for label in labels)
    else:
        labels, y = np.unique(values.astype(str), return_inverse=True)
        names = tuple(str(label) for label in labels)
    return y.astype(np.int64), "classification", names
