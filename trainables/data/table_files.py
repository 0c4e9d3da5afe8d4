"""Tables on disk: CSV and Parquet files as Arrow's columns, each in the type that it looks like."""

from __future__ import annotations

import codecs
import csv
import ctypes
import gzip
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from trainables.data.files import check_file
from trainables.data.number_texts import Decimal

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".tsv.zip", ".parquet")
SEPARATORS = ",;\t|"
_SAMPLE = 1 << 16  # bytes that the separator and the decimal mark are found in
_BLOCK = 1 << 23  # bytes that are parsed at once
LARGE = 1 << 26  # bytes of a file of which Arrow is not to keep the text
_MISSING = ("None", "<NA>")  # beside what Arrow takes for it: NA, NaN, null, ...
# Not 01/02/2013, which is one day in America and another elsewhere.
_DATES = ("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M")


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


def read_table(path: Path, texts: Collection[str] = ()) -> pa.Table:
    """All columns of a file that ends in one of TABLE_SUFFIXES.

    The separator of a CSV file is found in its first lines, and a comma may be the decimal mark
    where it is not the separator. Its columns ``texts`` are texts, whatever they look
    like.

    Raises:
        ValueError: the file cannot be read, is empty, is not what its suffix says, has a column
            without text in UTF-8, or two of one name.
    """
    with readable(path):
        is_parquet = table_suffix(path) == ".parquet"
        table = _read_parquet(path) if is_parquet else _read_text(path, texts)
    check_names(path, table.column_names)
    return table


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
    except _Unusable as error:
        raise ValueError(str(error)) from error.__cause__
    except Exception as error:  # Arrow, gzip and zipfile raise a dozen types on malformed input
        if isinstance(error, ValueError) and str(error).startswith(f"'{path}' "):
            raise
        why = None
        if re.search(r"Expected \d+ columns, got \d+", str(error)):
            why = _line_of_other_length(path)
        raise ValueError(f"'{path}' cannot be parsed as {kind}: {why or _line(error)}") from error


class _Unusable(Exception):
    """A message that names the file."""


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


def _read_text(path: Path, texts: Collection[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    separator, decimal = form_of(path)
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
            raise _Unusable(
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
        timestamp_parsers=[arrow_csv.ISO8601, *_DATES],
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
            raise _Unusable(
                f"'{self._path}' holds more text than this machine has memory, "
                f"{self._most / 1e9:.3g} GB"
            )
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The text of a CSV file, unpacked."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path) as packed:
            yield packed  # type: ignore[misc]  # an IO[bytes] in all but name
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
            yield member
    else:
        with path.open("rb") as file:
            yield file


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
    files = [name for name in names if not name.endswith("/")]
    if len(files) != 1:
        raise _Unusable(f"'{path}' holds {len(files)} files: a packed table is a single one")
    return files[0]


def form_of(path: Path) -> tuple[str, Decimal]:
    """The separator of a CSV file, and its decimal mark."""
    with opened(path) as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise _Unusable(f"'{path}' is empty: a table needs a header and rows")
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Unusable(f"'{path}' is text in UTF-16: save it as UTF-8")
    lines = sample.decode(errors="replace").lstrip("\ufeff").splitlines()
    if len(sample) == _SAMPLE and len(lines) > 1:
        del lines[-1]  # the file goes on in it
    separator = _separator(lines)
    if separator == ",":
        return separator, "."
    fields = {
        f for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator) for f in row
    }
    has_commas = any(re.fullmatch(r"[+-]?\d+,\d+", field) for field in fields)
    has_points = any(re.fullmatch(r"[+-]?\d+\.\d+", field) for field in fields)
    return separator, "," if has_commas and not has_points else "."


def _separator(lines: Sequence[str]) -> str:
    """The one of SEPARATORS by which most lines have as many fields as the header; of those the one
    that the header has most of."""
    header = re.sub(r'"[^"]*"', "", next(line for line in lines if line.strip()))
    counts = Counter(mark for mark in header if mark in SEPARATORS)
    if len(counts) < 2:
        return next(iter(counts), ",")

    def fits(mark: str) -> tuple[int, int]:
        try:
            first, *rows = (row for row in csv.reader(lines, delimiter=mark) if row)
        except csv.Error:
            return 0, counts[mark]
        return sum(len(row) == len(first) for row in rows), counts[mark]

    # Where all is even it is another than the comma, which numbers may have too.
    return max((mark for mark in reversed(SEPARATORS) if counts[mark]), key=fits)


def _line_of_other_length(path: Path) -> str | None:
    """Says which line is the first that has another number of values than the header."""
    separator, _ = form_of(path)
    try:
        with opened(path) as file, io.TextIOWrapper(file, "utf-8", "replace", newline="") as text:
            n, start = 0, 1
            reader = csv.reader(text, delimiter=separator)
            for row in reader:
                if row and n and len(row) != n:
                    has = f"{len(row)} value{'s' * (len(row) != 1)}"
                    shown = " ".join(separator.join(row).split())[:60]
                    return f"line {start} has {has}, the header has {n}: {shown!r}"
                n = n or len(row)
                start = reader.line_num + 1
    except csv.Error:
        pass
    return None


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raises ``ValueError`` where two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"'{path}' has more than one column {twice[0]!r}: rename them")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
