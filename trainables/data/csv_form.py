"""CSV files: their unpacked text, separator and decimal mark."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from trainables.data.number_texts import Decimal

SEPARATORS = ",;\t|"
_SAMPLE = 1 << 16  # bytes from which the separator and the decimal mark are found


class Unusable(Exception):
    """The file cannot be used; the message names the file."""


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
        raise Unusable(f"'{path}' holds {len(files)} files: it must hold exactly one, the table")
    return files[0]


def form_of(path: Path) -> tuple[str, Decimal]:
    """The separator of a CSV file, and its decimal mark."""
    lines = _first_lines(path)
    separator = _separator(lines)
    if separator == ",":
        return separator, "."
    fields = {field for row in _rows(lines, separator) for field in row}
    has_commas = any(re.fullmatch(r"[+-]?\d+,\d+", field) for field in fields)
    has_points = any(re.fullmatch(r"[+-]?\d+\.\d+", field) for field in fields)
    return separator, "," if has_commas and not has_points else "."


def first_values(path: Path) -> dict[str, list[str]]:
    """The values of each column of a CSV file in its first lines, as they are written."""
    lines = _first_lines(path)
    try:
        names, *rows = _rows(lines, _separator(lines))
    except csv.Error:
        return {}
    columns = zip(names, *(row for row in rows if len(row) == len(names)), strict=True)
    return {name: values for name, *values in columns}


def _rows(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator) if row)


def _first_lines(path: Path) -> list[str]:
    with opened(path) as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise Unusable(f"'{path}' is empty: a table needs a header and rows")
    # Without such a mark, one of the first two bytes is 0.
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in sample[:2]:
        raise Unusable(f"'{path}' is text in UTF-16: save it as UTF-8")
    lines = sample.decode(errors="replace").lstrip("\ufeff").splitlines()
    if lines and re.fullmatch(r'"?sep=."?', lines[0]):  # Excel reads the separator from such a line
        raise Unusable(f"'{path}' has {lines[0]!r} before its header: delete this line")
    if len(sample) == _SAMPLE and len(lines) > 1:
        del lines[-1]  # the sample may end within this line
    return lines


def _separator(lines: Sequence[str]) -> str:
    """The separator with which most lines have as many fields as the header. If several are equally
    good, it is the one that occurs most often in the header."""
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

    # The comma comes last, so that a tie goes to another mark: commas also occur in numbers.
    return max((mark for mark in reversed(SEPARATORS) if counts[mark]), key=fits)


def line_of_other_length(path: Path) -> str | None:
    """Describes the first line whose number of values differs from that of the header."""
    separator, _ = form_of(path)
    try:
        with opened(path) as file, io.TextIOWrapper(file, "utf-8", "replace", newline="") as text:
            n, start, header = 0, 1, ""
            reader = csv.reader(text, delimiter=separator)
            for row in reader:
                shown = " ".join(separator.join(row).split())[:60]
                if row and n and len(row) != n:
                    has = f"{len(row)} value{'s' * (len(row) != 1)}"
                    return f"line {start} has {has}, {shown!r}, but the header has {n}, {header!r}"
                n, header = (n, header) if n else (len(row), shown)
                start = reader.line_num + 1
    except csv.Error:
        pass
    return None
