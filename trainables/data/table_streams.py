"""Reads a table on disk some rows at a time, because it may be larger than memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data.csv_form import Unusable, form_of, opened
from trainables.data.number_texts import Decimal, numbers_of
from trainables.data.table_files import (
    check_names,
    convert_options,
    missing_values,
    readable,
    table_suffix,
    without_index,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 16
_BLOCK = 1 << 21  # bytes


def stream_table(
    path: Path,
    *,
    numbers: Collection[str] = (),
    texts: Collection[str] = (),
    dates: Collection[str] = (),
) -> Iterator[pa.Table]:
    """The rows of a file, in order, as :func:`trainables.data.table_files.read_table` reads them.

    A file without rows gives one empty table. The types of a CSV file's columns are found from its
    first rows, and later rows may differ: a number may have a point or be missing, a text may look
    like a number, a date may have a time of day. So the caller names the columns of ``numbers``,
    ``texts`` and ``dates``. If any are named, other columns are not read.

    Raises:
        ValueError: as ``read_table`` does, and if later rows hold values of another type.
    """
    suffix = table_suffix(path)
    assert suffix is not None
    with readable(path):
        if suffix == ".parquet":
            yield from _of_parquet(path)
        else:
            yield from _of_text(path, numbers, texts, dates)


def missing_texts(path: Path, name: str) -> Counter[str]:
    """How often each text that stands for a missing value occurs in a column of a CSV file."""
    import pyarrow as pa
    from pyarrow import compute, csv

    separator, _ = form_of(path)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    convert = csv.ConvertOptions(column_types={name: pa.string()}, include_columns=[name])
    texts = pa.array([text for text in missing_values() if text])
    counts: Counter[str] = Counter()
    with (
        opened(path) as file,
        csv.open_csv(file, csv.ReadOptions(block_size=_BLOCK), parse, convert) as reader,
    ):
        for batch in reader:
            column = batch.column(0)
            counts.update(column.filter(compute.is_in(column, texts)).to_pylist())
    return counts


def _of_parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        parquet = pq.ParquetFile(file)
        for table in _tables(parquet.iter_batches(batch_size=_ROWS), parquet.schema_arrow):
            yield without_index(table)


def _of_text(
    path: Path, numbers: Collection[str], texts: Collection[str], dates: Collection[str]
) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import csv

    separator, decimal = form_of(path)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    read = csv.ReadOptions(block_size=_BLOCK)
    with opened(path) as file, csv.open_csv(file, read, parse, convert_options(decimal)) as first:
        schema = first.schema
    check_names(f"'{path}'", schema.names)
    kinds = dict.fromkeys([*numbers, *texts], pa.string())
    for field in schema:
        if field.name in dates:
            kinds[field.name] = _kind_of_dates(field.type)
    convert = convert_options(decimal, kinds, [name for name in schema.names if name in kinds])
    try:
        with opened(path) as file, csv.open_csv(file, read, parse, convert) as reader:
            for table in _tables(reader, reader.schema):
                yield _with_numbers(path, table, {*numbers}, decimal)
    except pa.ArrowInvalid as error:
        raise _named(error, path, schema.names) from error


def _with_numbers(
    path: Path, table: pa.Table, names: Collection[str], decimal: Decimal
) -> pa.Table:
    """The table with the columns ``names`` converted from texts to numbers."""
    import pyarrow as pa

    columns = dict(zip(table.column_names, table.columns, strict=True))
    try:
        columns |= {n: numbers_of(n, columns[n], decimal) for n in columns if n in names}
    except ValueError as error:
        raise Unusable(f"'{path}': {error}") from None
    return pa.table(columns)


def _kind_of_dates(first: pa.DataType) -> pa.DataType:
    """The type for a column of dates whose first rows have the type ``first``."""
    import pyarrow as pa

    less = (pa.null(), pa.date32(), pa.timestamp("s"))  # later rows may have more than these
    return pa.timestamp("us") if first in less else first


def _tables(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Each batch as a table; one empty table if there are no batches."""
    import pyarrow as pa

    batch = None
    for batch in batches:
        yield pa.Table.from_batches([batch])
    if batch is None:
        yield schema.empty_table()


def _named(error: Exception, path: Path, names: Sequence[str]) -> Exception:
    """The error with the name of the column, because Arrow only gives its number."""
    match = re.search(r"column #(\d+): .*invalid value '(.*)'", str(error), re.DOTALL)
    if match is None or int(match[1]) >= len(names):
        return error
    name = names[int(match[1])]
    return ValueError(f"'{path}' has {match[2]!r} in column {name!r}: earlier rows differ in type")
