"""Predictions for a file of any size, or a folder of images, as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from trainables.data.columns import Category, Date, LeftOut, Number
from trainables.data.doubts import listed
from trainables.data.image_files import images_at
from trainables.data.table_files import table_suffix, without_views
from trainables.data.table_inputs import TableInputs
from trainables.data.table_streams import stream_table

if TYPE_CHECKING:
    from pipelines.winner.exported import ExportedModel

_AT_ONCE = 512  # images
_FILE = "file"
_MOST = 0.9  # of the rows


def check_source(model: ExportedModel, source: Path) -> None:
    """Raises ``ValueError`` if the model cannot take ``source``."""
    takes_tables = isinstance(model.preprocessing.inputs, TableInputs)
    if not source.exists():
        raise ValueError(f"'{source}' does not exist")
    if takes_tables and (source.is_dir() or table_suffix(source) is None):
        raise ValueError(f"'{source}' is no table: this model takes a .csv or .parquet file")
    if not takes_tables:
        images_at(source)


def note_columns(model: ExportedModel, source: Path) -> Iterator[str]:
    """Says which columns of a table the model does not use, except for its target.

    Raises ``ValueError`` if a column that the model needs is missing.
    """
    inputs = model.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        return
    names = next(stream_table(source)).column_names
    missing = [name for name in inputs.needed if name not in names]
    if missing:
        has = ", ".join(map(repr, names[:10]))
        raise ValueError(f"'{source}' has no column {_quoted(missing)}: it has {has}")
    known = {*(column.name for column in inputs.columns), model.preprocessing.target}
    if unused := [name for name in names if name not in known]:
        yield f"ignored   {_quoted(unused)}: the model has not been trained with it"


def note_values(model: ExportedModel, source: Path) -> Iterator[str]:
    """Says which columns of a table have no value in the first rows, hardly one that the model
    knows, or hardly one in the range of the train rows.

    Raises ``ValueError`` as :func:`batches` does.
    """
    inputs = model.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        return
    table = without_views(next(batches(model, source))[1])
    used = [(c, table.column(c.name)) for c in inputs.columns if not isinstance(c, LeftOut)]
    empty = [c.name for c, rows in used if rows.null_count == len(rows) and c.missing < _MOST]
    if empty and len(table):
        yield f"note      {_quoted(empty)}: no value in the first rows"
    outside: dict[str, str] = {}
    for column, rows in used:
        new = column.new_values(rows)
        if len(new) <= _MOST * (len(rows) - rows.null_count):
            continue
        if isinstance(column, Category):
            yield (
                f"note      {column.name!r}: nearly all values in the first rows are new to the "
                f"model, such as {new[0][:40]!r}"
            )
        else:
            outside[column.name] = new[0]
    if outside:
        yield (
            f"note      {_quoted([*outside])}: nearly all values in the first rows are outside the "
            f"range of the train rows, such as {next(iter(outside.values()))}: they count as its "
            "nearest end"
        )


def _quoted(names: Sequence[str]) -> str:
    """The first few names, in quotes."""
    return listed([repr(name) for name in names])


def batches(model: ExportedModel, source: Path) -> Iterator[tuple[list[Path], Any]]:
    """The samples of ``source``, a bounded number at a time; with images, their files too.

    Raises ``ValueError`` if a file cannot be read.
    """
    inputs = model.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        files = images_at(source)
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            yield some, some
        return
    texts = {*inputs.texts, *(c.name for c in inputs.columns if isinstance(c, Category))}
    numbers = [c.name for c in inputs.columns if isinstance(c, Number) and c.name not in texts]
    dates = [c.name for c in inputs.columns if isinstance(c, Date)]
    for table in stream_table(source, numbers=numbers, texts=texts, dates=dates):
        yield [], table


def write_predictions(model: ExportedModel, source: Path, out: IO[bytes]) -> Iterator[int]:
    """Write a row for each sample of ``source`` as CSV; yields how many there are so far. Bytes of
    a file's name that are not UTF-8 are replaced.

    Raises ``ValueError`` if a column is missing, or has other content than in training.
    """
    import pyarrow as pa
    from pyarrow import csv

    writer, done = None, 0
    for files, samples in batches(model, source):
        names = [os.fsencode(file).decode(errors="replace") for file in files]
        columns: dict[str, Any] = {_FILE: names} if files else {}
        columns |= dict(model.predicted(samples, as_texts=True))
        table = pa.table(columns)
        writer = writer or csv.CSVWriter(out, table.schema)
        writer.write_table(table)
        done += len(table)
        yield done
    if writer is not None:
        writer.close()
