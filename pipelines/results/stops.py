"""Why the scheduler stopped a trial: the score that it had reached, and the cut that it missed."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results.compared import compared_at
from pipelines.results.fates import Fate, fate
from trainables.training.metrics import Metric


class Stop(NamedTuple):
    """Where a trial was stopped, with its score there. ``cut`` is None if it is not known: without
    a rung at that epoch, and if the estimate contradicts the stop."""

    epoch: int
    value: float
    cut: float | None

    def __str__(self) -> str:
        words = f"at epoch {self.epoch}: {shown_score(self.value)}"
        if self.cut is None:
            return words
        return f"{words}, the cut was about {shown_score(self.cut, like=self.value)}"


def stops_data(
    trials: Sequence[FinishedTrial],
    metric: Metric,
    rungs: Sequence[int],
    reduction_factor: float,
    *,
    at_cycle_ends: bool = False,
) -> dict[int, Stop]:
    """The stops by trial number, for each trial that the scheduler stopped.

    The cut at a rung is the quantile 1 - 1 / reduction_factor of the scores that had been reached
    there when the trial arrived (Ray's ASHA); for ``at_cycle_ends`` see
    :func:`pipelines.results.compared.compared_at`. The record does not say when a trial reached an
    epoch: its epochs are assumed to be equally long, so the cut is an estimate.
    """
    sign = 1.0 if metric.mode == "max" else -1.0
    places = [compared_at(trial, rungs, at_cycle_ends=at_cycle_ends) for trial in trials]
    reached = {rung: _arrivals(trials, places, rung, sign) for rung in rungs}
    stops = {}
    for number, trial in enumerate(trials):
        if fate(trial) is not Fate.STOPPED or not trial.curve:
            continue
        epoch = trial.epochs
        rung = next((rung for rung, at in places[number].items() if at == epoch), None)
        times, scores = ([], []) if rung is None else reached[rung]
        before = bisect_left(times, _time(trial, epoch))
        cut = None
        if before:
            share = 1 - 1 / reduction_factor
            cut = sign * float(np.quantile(scores[:before], share))
            if not metric.better(cut, trial.curve[epoch]):  # the estimated order cannot be right
                cut = None
        stops[number] = Stop(epoch, trial.curve[epoch], cut)
    return stops


def _arrivals(
    trials: Sequence[FinishedTrial], places: Sequence[dict[int, int]], rung: int, sign: float
) -> tuple[list[float], list[float]]:
    """The times at which trials were compared at ``rung``, in order, and their scores there (higher
    is better)."""
    pairs = sorted(
        (_time(trial, at[rung]), sign * trial.curve[at[rung]])
        for trial, at in zip(trials, places, strict=True)
        if rung in at and math.isfinite(trial.curve[at[rung]])
    )
    return [time for time, _ in pairs], [score for _, score in pairs]


def _time(trial: FinishedTrial, epoch: int) -> float:
    return trial.started + trial.seconds * epoch / trial.epochs
