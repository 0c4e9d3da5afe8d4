"""The validation score that a search had found for what was later tested."""

from __future__ import annotations

from pipelines.record.looks import Look
from pipelines.record.scores import shown_score
from pipelines.study.runs import Run


def promised(run: Run, look: Look) -> str:
    """For example: 0.9876 on validation, the best of 40 trials and of their epochs."""
    best = tested = run.finished[look.trials[0]]
    by, of = "", f"the best of {len(run.finished)} trials and of their epochs"
    if len(look.trials) == 1 and run.best is not None and tested.value != run.best.value:
        of = f"the best epoch of trial {look.trials[0]}"
    elif run.best is not None:
        best = run.best
    if len(look.trials) > 1:  # the best need not be one of them
        by = f" by trial {run.finished.index(best)}"
    return f"{shown_score(best.value)} on validation{by}, {of}"
