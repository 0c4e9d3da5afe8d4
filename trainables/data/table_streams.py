"""A table on disk, some rows at a time: it may be larger than memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data.table_files import convert_options, form_of, opened, readable, table_suffix

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 16
_BLOCK = 1 << 21  # bytes


def stream_table(
    path: Path, *, numbers: Collection[str] = (), texts: Collection[str] = ()
) -> Iterator[pa.Table]:
    """The rows of a file as :func:`trainables.data.table_files.read_table` has them, in their
    order.

    A CSV file shows in its first rows alone what its columns hold, so those that hold ``numbers``
    or ``texts`` are named: a number may have a point, and a text be a number, in a later row.

    Raises:
        ValueError: what ``read_table`` raises, and where later rows hold something else.
    """
    suffix = table_suffix(path)
    assert suffix is not None
    with readable(path):
        if suffix == ".parquet":
            yield from _of_parquet(path)
        else:
            yield from _of_text(path, numbers, texts)


def _of_parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS):
            yield pa.Table.from_batches([batch])


def _of_text(path: Path, numbers: Collection[str], texts: Collection[str]) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import csv

    separator, decimal = form_of(path)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    read = csv.ReadOptions(block_size=_BLOCK)
    with opened(path) as file, csv.open_csv(file, read, parse, convert_options(decimal)) as first:
        schema = first.schema
    kinds = {name: pa.float64() for name in numbers}
    kinds |= {
        name: pa.string()
        for name in texts
        if name in schema.names and not pa.types.is_boolean(schema.field(name).type)
    }
    convert = convert_options(decimal, kinds)
    try:
        with opened(path) as file, csv.open_csv(file, read, parse, convert) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        raise _named(error, path, schema.names) from error


def _named(error: Exception, path: Path, names: Sequence[str]) -> Exception:
    """With the name of the column, of which Arrow says the number."""
    match = re.search(r"column #(\d+): .*invalid value '(.*)'", str(error), re.DOTALL)
    if match is None or int(match[1]) >= len(names):
        return error
    name = names[int(match[1])]
    return ValueError(f"'{path}' has {match[2]!r} in column {name!r}, which held something else")
