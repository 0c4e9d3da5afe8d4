"""``predict.py``: predictions of an exported model, as a table."""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.study.folders import check_writable
from pipelines.study.typed import shown
from pipelines.winner.exported import load_model
from pipelines.winner.predicting import check_source, note_columns, write_predictions

_LEAST_SHOWN = 1_000_000  # samples; from this many on, progress is shown


def run_predict(folder: Path, source: Path, output: Path | None) -> None:
    """Write predictions to ``output``, else to stdout; messages go to stderr.

    Raises ``ValueError`` if there is no model, if the model cannot take ``source``, or if
    ``output`` exists or is not a .csv file.
    """
    if output is not None and output.suffix.lower() != ".csv":
        raise ValueError(f"`output` {output}: predictions are CSV, give a file that ends in .csv")
    model = load_model(folder)
    check_source(model, source)
    for line in note_columns(model, source):
        print(line, file=sys.stderr)
    if output is None:
        for _ in write_predictions(model, source, sys.stdout.buffer):
            pass
        return
    if output.exists():
        raise ValueError(f"`output` {output} exists: give a file that does not")
    check_writable(output)
    part, n = output.with_name(f".{output.name}.part"), 0
    try:
        with part.open("wb") as out:
            for n in write_predictions(model, source, out):
                if n >= _LEAST_SHOWN and sys.stderr.isatty():
                    print(f"\rpredicted {n:,}", end="\r", file=sys.stderr)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    print(f"predicted {n:,} samples: {shown(output.absolute())}", file=sys.stderr)
