"""The time of a search that went on, without the time in which no driver worked on it."""

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
    """Between two drivers of a search."""

    at: float  # when, in seconds since 1970, with all gaps before it left out
    seconds: float
    by: str  # why the first of them ended


def gaps(run: Run) -> list[Gap]:
    """In their order."""
    sessions = _of_search(run)
    found, worked = [], 0.0
    for before, after in pairwise(sessions):
        worked += before.seconds
        if before.ended is not None:
            at = sessions[0].begun + worked
            found.append(Gap(at, after.begun - before.ended, before.by or ""))
    return found


def in_working_time(run: Run, trials: Sequence[FinishedTrial] | None = None) -> list[FinishedTrial]:
    """The finished trials of ``run``, or those that are given, each as if it had started by a clock
    that stands still in the gaps."""
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
