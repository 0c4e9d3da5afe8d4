"""How a trial ended, in the words and the colours of every page and figure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pipelines.record.trials import FinishedTrial, State


class Fate(StrEnum):
    """How a trial ended, if it has."""

    RUNNING = "running"
    COMPLETE = "trained to the end"
    STOPPED = "stopped early"
    DIVERGED = "diverged"
    FAILED = "failed"
    CUT_SHORT = "cut short"
    INFEASIBLE = "infeasible"


# The palette of Okabe and Ito, which colour-blind readers can tell apart. All colours are visible
# on white and on black.
COLOURS = {
    Fate.RUNNING: "#56b4e9",
    Fate.COMPLETE: "#0072b2",
    Fate.STOPPED: "#8c8c8c",
    Fate.DIVERGED: "#d55e00",
    Fate.FAILED: "#cc79a7",
    Fate.CUT_SHORT: "#e69f00",
    Fate.INFEASIBLE: "#9467bd",  # not from this palette
}
SYMBOLS = {
    Fate.RUNNING: "triangle-right",
    Fate.COMPLETE: "circle",
    Fate.STOPPED: "circle-open",
    Fate.DIVERGED: "x",
    Fate.FAILED: "cross",
    Fate.CUT_SHORT: "diamond",
    Fate.INFEASIBLE: "square-open",
}
BEST = "#009e73"


def fate(trial: FinishedTrial) -> Fate:
    """How ``trial`` ended."""
    if trial.state is State.FAIL:
        return Fate.FAILED
    if trial.diverged:
        return Fate.DIVERGED
    if trial.state is State.RUNNING:
        return Fate.RUNNING
    if trial.infeasible:
        return Fate.INFEASIBLE
    if trial.state is State.COMPLETE:
        return Fate.COMPLETE
    return Fate.STOPPED if trial.stopped_by == "scheduler" else Fate.CUT_SHORT


def is_sound(trial: FinishedTrial) -> bool:
    """Whether ``trial`` has a value that can be compared with others."""
    unsound = (Fate.DIVERGED, Fate.FAILED, Fate.INFEASIBLE)
    return fate(trial) not in unsound and trial.value is not None


def fates(trials: Iterable[FinishedTrial]) -> dict[Fate, int]:
    """How many trials ended in each way; a way in which none ended is left out."""
    found = [fate(trial) for trial in trials]
    return {kind: found.count(kind) for kind in Fate if kind in found}
