"""Files of weights. A note beside each (``best.json`` beside ``best.pt``) says of which trial and
epoch they are. The weights of a run need not be its winner's: a trial may be the best when its
search is interrupted, and diverge when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.record.header import read_json
from pipelines.record.trials import FinishedTrial
from pipelines.record.whole import replace_file, write_whole


def keep_weights(trial: FinishedTrial, source: Path, kept: Path) -> None:
    """Copy the weights of ``trial`` from ``source`` to ``kept``."""
    # The note comes first: the trial is recorded later, so it is no winner yet. If the driver is
    # killed in between, the old weights are taken for nobody's.
    write_whole(_note_beside(kept), json.dumps(_note_of(trial)) + "\n")
    replace_file(source, kept)


def copy_weights(source: Path, target: Path) -> None:
    """Copy kept weights, with their note if there is one."""
    note, copied = _note_beside(source), _note_beside(target)
    if note.is_file():
        replace_file(note, copied)
    else:
        copied.unlink(missing_ok=True)
    replace_file(source, target)


def are_of(trial: FinishedTrial, kept: Path) -> bool:
    """Whether the weights in ``kept`` are those of the best epoch of ``trial``. True without a
    note, because older versions wrote none.

    Raises ``ValueError``, which says what to do, if the note cannot be read.
    """
    note = _note_beside(kept)
    try:
        return not note.is_file() or read_json(note) == _note_of(trial)
    except ValueError as error:
        raise ValueError(f"{error}; delete it and {kept.name} to do without the weights") from None


def _note_beside(weights: Path) -> Path:
    return weights.with_suffix(".json")


def _note_of(trial: FinishedTrial) -> dict[str, Any]:
    return {"trial_id": trial.trial_id, "epoch": trial.best_epoch}
