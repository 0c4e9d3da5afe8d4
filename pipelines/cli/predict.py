"""``predict.py``: predictions of an exported model, as a table."""

from __future__ import annotations

import sys
from itertools import chain, count
from pathlib import Path

from pipelines.record.whole import replacing
from pipelines.study.folders import check_writable
from pipelines.study.typed import shown
from pipelines.winner.exported import load_model
from pipelines.winner.predicting import check_source, note_columns, note_values, write_predictions

_LEAST_SHOWN = 1_000_000  # samples; from this many on, progress is shown


def run_predict(folder: Path, source: Path, output: Path | None) -> None:
    """Write predictions to ``output``, else to stdout; messages go to stderr.

    Raises ``ValueError`` if there is no model, if the model cannot take ``source``, or if
    ``output`` exists or is not a .csv file. What was predicted before is kept in a file beside it.
    """
    if output is not None and output.suffix.lower() != ".csv":
        raise ValueError(f"`output` {output}: predictions are CSV, give a file that ends in .csv")
    model = load_model(folder)
    check_source(model, source)
    for line in chain(note_columns(model, source), note_values(model, source)):
        print(line, file=sys.stderr)
    if output is None:
        for _ in write_predictions(model, source, sys.stdout.buffer):
            pass
        return
    _check_free(output)
    check_writable(output)
    n = 0
    with replacing(output) as part:
        try:
            with part.open("wb") as out:
                for n in write_predictions(model, source, out):
                    if n >= _LEAST_SHOWN and sys.stderr.isatty():
                        print(f"\rpredicted {n:,}", end="\r", file=sys.stderr)
            _check_free(output)  # another command may have written it since
        except ValueError as error:
            if not n:
                raise
            kept = part.rename(_free(output.with_stem(f"{output.stem}.first-{n}")))
            where = shown(kept.absolute())
            raise ValueError(f"{error}; the first {n:,} predictions are in {where}") from None
    print(f"predicted {n:,} sample{'s' * (n != 1)}: {shown(output.absolute())}", file=sys.stderr)


def _check_free(output: Path) -> None:
    if _is_taken(output):
        raise ValueError(f"`output` {output} exists: give a file that does not")


def _free(path: Path) -> Path:
    """``path``, or with a number if something of that name exists."""
    names = chain([path], (path.with_stem(f"{path.stem}-{i}") for i in count(2)))
    return next(name for name in names if not _is_taken(name))


def _is_taken(path: Path) -> bool:
    return path.exists() or path.is_symlink()
