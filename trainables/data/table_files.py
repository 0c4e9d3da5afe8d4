"""Tables on disk: CSV and Parquet files as Arrow columns, each of the type that it looks like."""

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
LARGE = 1 << 26  # bytes; Arrow must not keep the text of larger files, nor as much unused memory


@contextmanager
def lean() -> Iterator[None]:
    """Inside, Arrow takes memory from the system and gives it back.

    Its own allocator would keep it: for a large table, as much memory as the table itself.
    """
    import pyarrow as pa

    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        give_back()


def give_back() -> None:
    """Gives unused memory of this process back to the system."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # the C library may not be glibc
        ctypes.CDLL(None).malloc_trim(0)


def table_suffix(path: Path) -> str | None:
    """The one of TABLE_SUFFIXES that the file has; None if it has another suffix."""
    name = path.name.lower()
    return next((suffix for suffix in TABLE_SUFFIXES if name.endswith(suffix)), None)


def read_table(path: Path, texts: Collection[str] = ()) -> tuple[pa.Table, Decimal | None]:
    """All columns of a file that ends in one of TABLE_SUFFIXES, and the decimal mark of a CSV file.

    The separator of a CSV file is found from its first lines. A comma may be the decimal mark if it
    is not the separator. The columns ``texts`` of a CSV file are read as texts, whatever they look
    like.

    Raises:
        ValueError: the file cannot be read, is empty, is not what its suffix says, has a column
            that is not UTF-8, or two columns with the same name.
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
    """Inside, any problem with the file raises a ``ValueError`` that names the file."""
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
    except Exception as error:  # Arrow, gzip and zipfile raise many types on malformed input
        if isinstance(error, ValueError) and str(error).startswith(f"'{path}' "):
            raise
        why = None
        if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in str(error):
            why = "it is not UTF-8 text: save it as UTF-8"
        elif re.search(r"Expected \d+ columns, got \d+", str(error)):
            why = line_of_other_length(path)
        raise ValueError(f"'{path}' cannot be parsed as {kind}: {why or _line(error)}") from error


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with path.open("rb") as file:  # the folders of a path may look like partitions
        table = pq.ParquetFile(file).read()
    return without_views(without_index(table))


def without_index(table: pa.Table) -> pa.Table:
    """The same table without the index of a frame, which pandas writes as columns."""
    own = [name for name in table.column_names if re.fullmatch(r"__index_level_\d+__", name)]
    return table.drop_columns(own)


def without_views(table: pa.Table) -> pa.Table:
    """The same table without views, because Arrow lacks functions for views, such as ``take``."""
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
        # To find the types, Arrow would keep the text of the whole file in addition to the values.
        # For most files the types of the first rows are right; if not, Arrow raises an error.
        with opened(path) as file:
            schema = arrow_csv.open_csv(file, read, parse, convert_options(decimal, wanted)).schema
        kinds = {
            # Texts are kept in a dictionary, because many occur often.
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
                f"'{path}' cannot be parsed as csv: column {field.name!r} is not UTF-8 text: "
                "save it as UTF-8"
            )
    return table


def missing_values() -> list[str]:
    """The texts that stand for a missing value in any column of a CSV file."""
    from pyarrow import csv as arrow_csv

    return [*arrow_csv.ConvertOptions().null_values, "None", "<NA>"]  # Arrow's are NA, null, ...


def convert_options(
    decimal: str,
    kinds: Mapping[str, pa.DataType] | None = None,
    only: Sequence[str] | None = None,
) -> arrow_csv.ConvertOptions:
    """How the text of a CSV file becomes values.

    ``kinds`` gives the types of some columns. If ``only`` has names, other columns are not read.
    """
    from pyarrow import csv as arrow_csv

    return arrow_csv.ConvertOptions(
        strings_can_be_null=True,
        null_values=missing_values(),
        decimal_point=decimal,
        timestamp_parsers=[arrow_csv.ISO8601, *DATES],
        column_types=kinds,
        include_columns=only,
    )


def memory() -> float:
    """The memory of this machine in bytes."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on every system
        return float("inf")


class _Bounded:
    """Reads at most ``most`` bytes of a file: a small packed file may hold any number of bytes."""

    def __init__(self, file: IO[bytes], path: Path, most: float) -> None:
        self._file, self._path, self._most = file, path, most
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._read += len(content)
        if self._read > self._most:
            raise Unusable(
                f"'{self._path}' holds more text than fits into the memory of this machine, "
                f"{self._most / 1e9:.3g} GB"
            )
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def check_names(source: str, names: Sequence[str]) -> None:
    """Raises ``ValueError``, which names ``source``, if two columns have the same name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{source} has more than one column {twice[0]!r}: rename them")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
