"""How rows of a table become inputs of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainables.data.columns import Category, Column, Date, LeftOut, Number
from trainables.data.doubts import listed
from trainables.data.fit_columns import fit_column
from trainables.data.number_texts import Decimal, is_text, numbers_of
from trainables.data.table_files import (
    LARGE,
    check_names,
    give_back,
    read_table,
    table_suffix,
    without_views,
)
from trainables.data.values import FLOAT32_MAX

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PIECE = 1 << 18  # rows
_WORDS = {
    Number: ("number", "numbers"),
    Category: ("category", "categories"),
    Date: ("date", "dates"),
    LeftOut: ("left out", "left out"),
}


@dataclass(frozen=True)
class TableInputs:
    """How rows of a table become inputs: column by column, in the order of the training file."""

    columns: tuple[Column, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (sum(column.width for column in self.columns),)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that new rows must have; other columns are ignored."""
        return tuple(column.name for column in self.columns if column.width)

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns to read as texts, even from a file in which they look like something else:
        those of texts or truth values, and numbers whose decimal mark is known."""
        return tuple(
            c.name
            for c in self.columns
            if (isinstance(c, Category) and not c.of_numbers)
            or (isinstance(c, Number) and c.decimal is not None)
        )

    def transform(
        self,
        rows: pd.DataFrame | pa.Table | pa.RecordBatch | str | Path,
        which: np.ndarray | None = None,
    ) -> np.ndarray:
        """The inputs, float32 (n, features), of a table or of a file that holds one.

        If ``which`` is given, only those rows are used.

        Raises:
            ValueError: ``rows`` are not a table, or a column is missing, occurs twice, or holds
                another kind of values than in training.
        """
        numbers = [c.name for c in self.columns if isinstance(c, Number)]
        table = as_table(rows, self.texts, numbers)
        names = dict.fromkeys(table.column_names)  # Arrow makes a new list each time
        missing = [name for name in self.needed if name not in names]
        if missing:
            has = ", ".join(map(repr, table.column_names[:10]))
            raise ValueError(f"there is no column {missing[0]!r}: the rows have {has}")
        n = len(table) if which is None else len(which)
        out = np.empty((n, *self.shape), np.float32)
        end = freed = 0
        for column in self.columns:
            if not column.width:
                continue
            values = table.column(column.name)
            start, end = end, end + column.width
            # Piece by piece: a copy of all rows would be as large as the table or the inputs.
            values = values if which is None else values.take(which)
            for first in range(0, n, _PIECE):
                encoded = column.encode(values.slice(first, _PIECE))
                np.clip(encoded, -FLOAT32_MAX, FLOAT32_MAX, out=encoded)
                out[first : first + _PIECE, start:end] = encoded
            freed += values.nbytes + 4 * n * column.width
            del values
            if freed >= LARGE:  # giving back takes milliseconds, too much for each of many columns
                give_back()
                freed = 0
        return out

    def __str__(self) -> str:
        """Such as ``9: 4 numbers, 4 categories, 1 left out (name)``."""
        counts = Counter(type(column) for column in self.columns)
        parts = [f"{counts[k]} {words[counts[k] > 1]}" for k, words in _WORDS.items() if counts[k]]
        out = [c.name or "''" for c in self.columns if isinstance(c, LeftOut)]
        names = f" ({listed(out)})" if out else ""  # left out is the last of the parts
        return f"{len(self.columns)}: {', '.join(parts)}{names}"


def fit_table(
    table: pa.Table,
    train: np.ndarray,
    categories: Collection[str] = (),
    decimals: Mapping[str, Decimal] | None = None,
) -> TableInputs:
    """The inputs for ``table``, fitted on the rows ``train``.

    The columns ``categories`` are categories even if they look like numbers. ``decimals`` are the
    decimal marks of columns.

    Raises:
        ValueError: no column has anything to learn from.
    """
    columns = []
    for name in table.column_names:
        column = fit_column(name, table.column(name).take(train), as_category=name in categories)
        if isinstance(column, Number):
            column = replace(column, decimal=(decimals or {}).get(name))
        columns.append(column)
    inputs = TableInputs(tuple(columns))
    if not inputs.needed:
        first = columns[0]
        why = f"{first.name!r}: {first.why}" if isinstance(first, LeftOut) else "there is none"
        raise ValueError(f"no feature column teaches anything in the train rows ({why})")
    return inputs


def as_table(
    rows: pd.DataFrame | pa.Table | pa.RecordBatch | str | Path,
    texts: Collection[str] = (),
    numbers: Collection[str] = (),
) -> pa.Table:
    """Rows as an Arrow table. Of a CSV file, the columns ``texts`` are read as texts; the columns
    ``numbers`` that are not among them are read as numbers with the decimal mark of the file.

    Raises ``ValueError`` if ``rows`` are not a table, or if two columns have the same name.
    """
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        check_names("the table", rows.column_names)
        return without_views(rows)
    if isinstance(rows, str | Path):
        path = Path(rows).expanduser()
        if table_suffix(path) is None:
            raise ValueError(f"'{path}' is not a table: give a .csv or .parquet file")
        table, decimal = read_table(path, texts)
        return table if decimal is None else _as_numbers(table, {*numbers} - {*texts}, decimal)
    if not hasattr(type(rows), "columns"):
        raise ValueError(
            f"rows of the type {type(rows).__name__} are not a table: give a DataFrame (for one "
            "row `frame.iloc[[0]]`), an Arrow table, or the path of a file"
        )
    check_names("the table", [str(name) for name in rows.columns])
    columns = {}
    for name in rows.columns:
        try:
            columns[str(name)] = pa.Array.from_pandas(rows[name])
        except (pa.ArrowException, OverflowError):  # such as numbers and texts in one column
            mixed = rows[name].astype(object).map(str, na_action="ignore")
            columns[str(name)] = pa.Array.from_pandas(mixed)
    return pa.table(columns)


def _as_numbers(table: pa.Table, names: Collection[str], decimal: Decimal) -> pa.Table:
    """The table with those columns ``names`` converted to numbers that Arrow has read as texts."""
    for place, field in enumerate(table.schema):
        if field.name in names and is_text(field.type):
            column = numbers_of(field.name, table.column(place), decimal)
            table = table.set_column(place, field.name, column)
    return table
