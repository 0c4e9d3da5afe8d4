"""What a search had found on validation of what the test set was asked about."""

from __future__ import annotations

from pipelines.record.looks import Look
from pipelines.study.runs import Run


def promised(run: Run, look: Look) -> str:
    """In words, as 0.9876 on validation, the best of 40 trials and of their epochs."""
    tested = run.finished[look.trials[0]]
    if len(look.trials) == 1 and run.best is not None and tested.value != run.best.value:
        return f"{tested.value:.4f} on validation, the best epoch of trial {look.trials[0]}"
    best = tested if run.best is None else run.best
    of = f"the best of {len(run.finished)} trials and of their epochs"
    return f"{best.value:.4f} on validation, {of}"
