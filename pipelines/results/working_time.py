"""The time of a resumed search, without the time in which no driver worked on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from pipelines.record.sessions import Session
from pipelines.record.trials import FinishedTrial
from pipelines.study.runs import Run


class Gap(NamedTuple):
    """The time between two drivers of a search."""

    at: float  # its start in seconds since 1970, with all earlier gaps left out
    seconds: float
    by: str  # why the driver before it ended


def gaps(run: Run) -> list[Gap]:
    """The gaps of ``run``, in order."""
    sessions = _of_search(run)
    found, worked = [], 0.0
    for before, after in pairwise(sessions):
        worked += before.seconds
        if before.ended is not None:
            at = sessions[0].begun + worked
            found.append(Gap(at, after.begun - before.ended, before.by or ""))
    return found


def in_working_time(run: Run, trials: Sequence[FinishedTrial] | None = None) -> list[FinishedTrial]:
    """The finished trials of ``run``, or the given ``trials``. Their starts are by a clock that
    stands still in the gaps."""
    trials = run.finished if trials is None else trials
    sessions = _of_search(run)
    if len(sessions) < 2:
        return list(trials)
    return [replace(t, started=_worked(t.started, sessions)) for t in trials]


def _of_search(run: Run) -> list[Session]:
    return [session for session in run.sessions if session.part == "search"]


def _worked(at: float, sessions: Sequence[Session]) -> float:
    begun = sessions[0].begun
    worked = sum(
        min(max(at - s.begun, 0.0), math.inf if s.ended is None else s.seconds) for s in sessions
    )
    return begun + worked if at > begun else at
