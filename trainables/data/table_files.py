"""Tables on disk: CSV and Parquet files as Arrow's columns, each in the type that it looks like."""

from __future__ import annotations

import ctypes
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from trainables.data.csv_form import Unusable, form_of, line_of_other_length, opened
from trainables.data.files import check_file
from trainables.data.moments import DATES
from trainables.data.number_texts import Decimal

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".tsv.zip", ".parquet")
_BLOCK = 1 << 23  # bytes that are parsed at once
LARGE = 1 << 26  # bytes of a file of which Arrow is not to keep the text
_MISSING = ("None", "<NA>")  # beside what Arrow takes for it: NA, NaN, null, ...


@contextmanager
def lean() -> Iterator[None]:
    """Inside, Arrow takes memory from the system and gives it back: its own allocator keeps what it
    has once had, which for a large table is as much as the table."""
    import pyarrow as pa

    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        give_back()


def give_back() -> None:
    """What is free of this process's memory goes back to the system."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # the C library may be another than glibc
        ctypes.CDLL(None).malloc_trim(0)


def table_suffix(path: Path) -> str | None:
    """The one of TABLE_SUFFIXES that the file has; None for another."""
    name = path.name.lower()
    return next((suffix for suffix in TABLE_SUFFIXES if name.endswith(suffix)), None)


def read_table(path: Path, texts: Collection[str] = ()) -> tuple[pa.Table, Decimal | None]:
    """All columns of a file that ends in one of TABLE_SUFFIXES, and the decimal mark of a CSV file.

    The separator of a CSV file is found in its first lines, and a comma may be the decimal mark
    where it is not the separator. Its columns ``texts`` are texts, whatever they look
    like.

    Raises:
        ValueError: the file cannot be read, is empty, is not what its suffix says, has a column
            without text in UTF-8, or two of one name.
    """
    with readable(path):
        decimal: Decimal | None = None
        if table_suffix(path) == ".parquet":
            table = _read_parquet(path)
        else:
            separator, decimal = form_of(path)
            table = _read_text(path, texts, separator, decimal)
    check_names(f"'{path}'", table.column_names)
    return table, decimal


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Inside, whatever is wrong with the file is a ``ValueError`` that names it."""
    suffix = table_suffix(path)
    assert suffix is not None
    kind = suffix.split(".")[1]
    try:
        check_file(path)
        if not path.stat().st_size:
            raise ValueError(f"'{path}' is empty: a table needs a header and rows")
        yield
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error.strerror or _line(error)}") from error
    except Unusable as error:
        raise ValueError(str(error)) from error.__cause__
    except Exception as error:  # Arrow, gzip and zipfile raise a dozen types on malformed input
        if isinstance(error, ValueError) and str(error).startswith(f"'{path}' "):
            raise
        why = None
        if re.search(r"Expected \d+ columns, got \d+", str(error)):
            why = line_of_other_length(path)
        raise ValueError(f"'{path}' cannot be parsed as {kind}: {why or _line(error)}") from error


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with path.open("rb") as file:  # a path's folders may look like a partition's
        table = pq.ParquetFile(file).read()
    # pandas keeps a frame's index as a column.
    own = [name for name in table.column_names if re.fullmatch(r"__index_level_\d+__", name)]
    return without_views(table.drop_columns(own))


def without_views(table: pa.Table) -> pa.Table:
    """The same values, none as a view: for views Arrow lacks functions, such as ``take``."""
    import pyarrow as pa

    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    for place, field in enumerate(table.schema):
        if kind := plain.get(field.type):
            table = table.set_column(place, field.with_type(kind), table.column(place).cast(kind))
    return table


def _read_text(path: Path, texts: Collection[str], separator: str, decimal: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    read = arrow_csv.ReadOptions(block_size=_BLOCK)
    parse = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)

    most = memory()
    wanted = {name: pa.string() for name in texts}

    def table_of(kinds: Mapping[str, pa.DataType]) -> pa.Table:
        with opened(path) as file:
            return arrow_csv.read_csv(
                _Bounded(file, path, most), read, parse, convert_options(decimal, kinds)
            )

    if path.stat().st_size < LARGE:
        table = table_of(wanted)
    else:
        # To find the types, Arrow keeps the text of the whole file beside the values. Those of the
        # first rows hold for most files, and where they do not it says so.
        with opened(path) as file:
            schema = arrow_csv.open_csv(file, read, parse, convert_options(decimal, wanted)).schema
        kinds = {
            # Of a text that occurs often the place in a dictionary is kept.
            field.name: pa.dictionary(pa.int32(), field.type)
            if pa.types.is_string(field.type)
            else field.type
            for field in schema
            if not pa.types.is_null(field.type)
        }
        try:
            table = table_of(kinds)
        except pa.ArrowInvalid:
            table = table_of(wanted)
    give_back()
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise Unusable(
                f"'{path}' cannot be parsed as csv: column {field.name!r} is no text in UTF-8"
            )
    return table


def convert_options(
    decimal: str,
    kinds: Mapping[str, pa.DataType] | None = None,
    only: Sequence[str] | None = None,
) -> arrow_csv.ConvertOptions:
    """How a CSV file's text becomes values; the columns ``kinds`` have those types, and where
    there are names in ``only``, other columns are passed over."""
    from pyarrow import csv as arrow_csv

    return arrow_csv.ConvertOptions(
        strings_can_be_null=True,
        null_values=[*arrow_csv.ConvertOptions().null_values, *_MISSING],
        decimal_point=decimal,
        timestamp_parsers=[arrow_csv.ISO8601, *DATES],
        column_types=kinds,
        include_columns=only,
    )


def memory() -> float:
    """Bytes that this machine has."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # another system
        return float("inf")


class _Bounded:
    """Reads ``most`` bytes of a file and no more: a small packed one may hold any number."""

    def __init__(self, file: IO[bytes], path: Path, most: float) -> None:
        self._file, self._path, self._most = file, path, most
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._read += len(content)
        if self._read > self._most:
            raise Unusable(
                f"'{self._path}' holds more text than this machine has memory, "
                f"{self._most / 1e9:.3g} GB"
            )
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def check_names(source: str, names: Sequence[str]) -> None:
    """Raises ``ValueError`` where two columns have one name; ``source`` says of what."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{source} has more than one column {twice[0]!r}: rename them")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
