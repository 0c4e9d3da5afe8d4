"""The best so far, and every trial as a point: against trials, epochs or time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.fates import BEST, COLOURS, SYMBOLS, Fate, fate, is_sound
from pipelines.results.figures.axes import clamp, figure, score_range, thin, whole
from pipelines.results.figures.labels import label
from trainables.training.metrics import Metric

Against = Literal["trials", "epochs", "time"]
MOST_POINTS = 1500


class BestSoFar(NamedTuple):
    """A row for each trial, in the order in which they ended."""

    number: list[int]
    trials: list[float]  # number of trials that have ended up to here
    epochs: list[float]  # that these trials have trained
    time: list[float]  # in seconds since the first started
    value: list[float | None]  # None for a trial that diverged, failed or reported nothing
    fate: list[Fate]
    best: list[float | None]  # up to here


def best_so_far_data(trials: Sequence[FinishedTrial], metric: Metric) -> BestSoFar:
    """The best value after each trial; no trial that diverged or failed is ever the best."""
    start = min((trial.started for trial in trials), default=0.0)
    values = [trial.value if is_sound(trial) else None for trial in trials]
    bests: list[float | None] = []
    best: float | None = None
    for value in values:
        if value is not None and (best is None or metric.better(value, best)):
            best = value
        bests.append(best)
    return BestSoFar(
        list(range(len(trials))),
        [n + 1.0 for n in range(len(trials))],
        [float(epochs) for epochs in accumulate(trial.epochs for trial in trials)],
        [trial.started + trial.seconds - start for trial in trials],
        values,
        [fate(trial) for trial in trials],
        bests,
    )


def best_so_far_figure(
    data: BestSoFar, name: str, metric: Metric, against: Against = "trials"
) -> go.Figure:
    """A line of the best so far, and a point for each trial, by fate. A trial without a value lies
    on the bad edge. Of very many trials, each improvement and some of the others are drawn."""
    values = [value for value in data.value if value is not None]
    low, high = score_range(values, metric.mode)
    bad = low if metric.mode == "max" else high
    axis, per_unit = places_axis(against, [data])
    places = [place / per_unit for place in data._asdict()[against]]
    drawn = figure("", label(name), xaxis=axis, yaxis={"range": [low, high]})
    steps = [row for row in range(len(places)) if data.best[row] is not None]
    changes = [r for i, r in enumerate(steps) if i == 0 or data.best[r] != data.best[steps[i - 1]]]
    rows = sorted({*thin(range(len(places)), MOST_POINTS), *changes})
    for kind in Fate:
        of_kind = [row for row in rows if data.fate[row] is kind]
        if not of_kind:
            continue
        shown = [bad if (value := data.value[row]) is None else value for row in of_kind]
        drawn.add_scatter(
            x=np.array([places[row] for row in of_kind]),
            y=np.array(clamp(shown, (low, high))),
            customdata=np.array(of_kind),
            text=[wording.score(data.value[row]) for row in of_kind],
            hovertemplate="trial %{customdata}: %{text}<extra></extra>",
            mode="markers",
            marker={"color": COLOURS[kind], "symbol": SYMBOLS[kind], "size": 7},
            cliponaxis=False,
            name=kind.value,
        )
    ends = sorted({*changes, *steps[-1:]})
    drawn.add_scatter(
        x=[places[row] for row in ends],
        y=[data.best[row] for row in ends],
        mode="lines",
        line={"color": BEST, "width": 2, "shape": "hv"},
        name="best so far",
        text=[shown_score(data.best[row]) for row in ends],
        hovertemplate="best %{text}<extra></extra>",
    )
    return drawn


def places_axis(against: Against, runs: Iterable[BestSoFar]) -> tuple[dict[str, Any], float]:
    """The x axis for ``against``, and how many trials, epochs or seconds one unit of it has."""
    most = max((place for data in runs for place in data._asdict()[against]), default=0.0)
    if against == "time":
        unit, seconds = wording.time_unit(most)
        return {"title": {"text": unit}, "rangemode": "tozero"}, seconds
    return {"title": {"text": against}, "rangemode": "tozero", **whole(0, most)}, 1.0
