"""A table on disk, some rows at a time: it may be larger than memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data.csv_form import form_of, opened
from trainables.data.table_files import check_names, convert_options, readable, table_suffix

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
    """The rows of a file as :func:`trainables.data.table_files.read_table` has them, in their
    order; of a file without rows one table that has none.

    A CSV file shows in its first rows alone what its columns hold, so those that hold ``numbers``,
    ``texts`` or ``dates`` are named: a number may have a point, a text be a number, and a date have
    a time of day, in a later row. Where any are named, its other columns are passed over.

    Raises:
        ValueError: what ``read_table`` raises, and where later rows hold something else.
    """
    suffix = table_suffix(path)
    assert suffix is not None
    with readable(path):
        if suffix == ".parquet":
            yield from _of_parquet(path)
        else:
            yield from _of_text(path, numbers, texts, dates)


def _of_parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        parquet = pq.ParquetFile(file)
        yield from _tables(parquet.iter_batches(batch_size=_ROWS), parquet.schema_arrow)


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
    kinds = {name: pa.float64() for name in numbers} | {name: pa.string() for name in texts}
    for field in schema:
        if field.name in dates:
            kinds[field.name] = _kind_of_dates(field.type)
    convert = convert_options(decimal, kinds, [name for name in schema.names if name in kinds])
    try:
        with opened(path) as file, csv.open_csv(file, read, parse, convert) as reader:
            yield from _tables(reader, reader.schema)
    except pa.ArrowInvalid as error:
        raise _named(error, path, schema.names) from error


def _kind_of_dates(first: pa.DataType) -> pa.DataType:
    """The type that a column of dates has, of which the first rows have ``first``."""
    import pyarrow as pa

    less = (pa.null(), pa.date32(), pa.timestamp("s"))  # than later rows may have
    return pa.timestamp("us") if first in less else first


def _tables(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Each as a table; one without rows where there are none."""
    import pyarrow as pa

    batch = None
    for batch in batches:
        yield pa.Table.from_batches([batch])
    if batch is None:
        yield schema.empty_table()


def _named(error: Exception, path: Path, names: Sequence[str]) -> Exception:
    """With the name of the column, of which Arrow says the number."""
    match = re.search(r"column #(\d+): .*invalid value '(.*)'", str(error), re.DOTALL)
    if match is None or int(match[1]) >= len(names):
        return error
    name = names[int(match[1])]
    return ValueError(f"'{path}' has {match[2]!r} in column {name!r}, which held something else")
