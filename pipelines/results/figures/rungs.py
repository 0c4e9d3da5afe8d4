"""Early stopping: how many trials reached each rung, and whether their order there lasted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results.compared import compared_at
from pipelines.results.fates import BEST, COLOURS, Fate, fate
from pipelines.results.figures.axes import figure, whole

LEAST_PAIRS = 5  # fewer say nothing about an order


class Agreement(NamedTuple):
    """How far the order of trials at a rung agrees with their order at the next, for trials that
    reached both."""

    rung: int
    next: int
    n: int
    rank_correlation: float | None  # Spearman's; None for too few trials or equal scores


class Rungs(NamedTuple):
    """A row for each rung; trials that diverged or failed before it did not reach it."""

    epochs: list[int]
    reached: list[int]
    stopped: list[int]
    agreements: list[Agreement]


def rungs_data(
    trials: Sequence[FinishedTrial], rungs: Sequence[int], *, at_cycle_ends: bool = False
) -> Rungs:
    """What happened at each rung; the last epoch counts as a rung. A trial that was stopped at the
    end of a cycle counts for the last rung before. For ``at_cycle_ends`` see
    :func:`pipelines.results.compared.compared_at`."""
    sound = [trial for trial in trials if fate(trial) not in (Fate.DIVERGED, Fate.FAILED)]
    stopped_in = [trial.epochs for trial in sound if trial.stopped_by == "scheduler"]
    stopped = [rungs[n - 1] for epoch in stopped_in if (n := bisect_right(rungs, epoch))]
    places = [compared_at(trial, rungs, at_cycle_ends=at_cycle_ends) for trial in sound]
    agreements = []
    for rung, following in pairwise(rungs):
        pairs = [
            (trial.curve[at[rung]], trial.curve[at[following]])
            for trial, at in zip(sound, places, strict=True)
            if rung in at and following in at
        ]
        agreements.append(Agreement(rung, following, len(pairs), _correlation(pairs)))
    return Rungs(
        list(rungs),
        [sum(rung in trial.curve for trial in sound) for rung in rungs],
        [stopped.count(rung) for rung in rungs],
        agreements,
    )


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    import pandas as pd

    if len(pairs) < LEAST_PAIRS or any(len(set(column)) < 2 for column in zip(*pairs, strict=True)):
        return None
    return float(pd.DataFrame(pairs).corr("spearman").to_numpy()[0, 1])


def rungs_figure(data: Rungs) -> go.Figure:
    """Two bars at each rung: those that went on, and those that were stopped there."""
    yaxis = whole(0, max(data.reached, default=0))
    drawn = figure("rung (epoch)", "trials", yaxis=yaxis, barmode="stack")
    names = [str(epoch) for epoch in data.epochs]
    went_on = [n - ended for n, ended in zip(data.reached, data.stopped, strict=True)]
    drawn.add_bar(x=names, y=went_on, name="went on, or ended there", marker={"color": BEST})
    drawn.add_bar(
        x=names, y=data.stopped, name="stopped there", marker={"color": COLOURS[Fate.STOPPED]}
    )
    return drawn.update_xaxes(type="category")
