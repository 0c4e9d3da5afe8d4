"""Whether a run has done all that it was asked for."""

from __future__ import annotations

import socket

from pipelines.record.lock import is_held
from pipelines.record.sessions import FAILED, KILLED, STORAGE, address_here
from pipelines.study.interrupts import OUTPUT
from pipelines.study.result import AS_ASKED
from pipelines.study.runs import Run

_ENDED_BY = {
    "interrupt": "It was interrupted",
    "SIGTERM": "It was ended by SIGTERM",
    "SIGHUP": "Its terminal was closed",
    OUTPUT: "Its output was closed",
    "failures": "It was stopped because its first trials failed",
    STORAGE: "It was stopped because its files could not be written",
    FAILED: "It ended with an error",
    KILLED: "Its driver was killed",
}


def unfinished(run: Run) -> str:
    """What ``run`` has not done yet, in sentences; "" if it has done all that it was asked for."""
    if not run.sessions:
        return "An older version wrote this record: it does not say whether the search has ended."
    last = run.sessions[-1]
    part = "The search" if last.part == "search" else "Training the best configs again"
    if last.ended is None and is_held(run.files):
        return f"{part} goes on: {_so_far(run)}."
    if last.ended is None and last.host != socket.gethostname():
        return (
            f"{part} may still go on: {_so_far(run)}. A driver on {last.host} works on it, or was "
            "killed."
        )
    by = KILLED if last.by is None else last.by
    if by not in AS_ASKED:
        return f"{part} is not complete: {_so_far(run)}. {_ENDED_BY.get(by, by)}."
    wanted = run.spec.budget.repeats and run.best is not None
    if wanted and not any(s.part == "repeats" and s.by == "" for s in run.sessions):
        return "The search is over, but its best configs were not trained again."
    return ""


def address_of(run: Run) -> str | None:
    """The address of the Ray cluster to give to a command that goes on with ``run`` here; None if
    its last driver was given none, or worked on another machine."""
    return address_here(run.sessions)


def goes_on(run: Run) -> bool:
    """Whether a driver works on ``run`` now."""
    return bool(run.sessions) and run.sessions[-1].ended is None and is_held(run.files)


def _so_far(run: Run) -> str:
    """How many trials, or repeats, have ended by themselves."""
    if run.sessions[-1].part == "repeats":
        # It imports Ray, which most pages do not need.
        from pipelines.study.repeats import ended_repeats, to_repeat

        each, top = run.spec.budget.repeats or 0, to_repeat(run.finished, run.goals)
        done = ended_repeats(run.repeated)
        n = sum(min(done[trial.trial_id], each) for trial in top)
        return f"{n} of {len(top) * each} repeats have ended"
    n = sum(not trial.cut_short for trial in run.finished)
    return f"{n} of at most {run.spec.budget.trials} trials have ended"
