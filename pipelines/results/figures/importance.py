"""Which hyperparameters distinguish the best trials from the others, and whether it may be chance.

Optuna's evaluators only use trials that were trained to the end. If a scheduler stops most trials,
only a handful is left. So here all trials are compared by what they had reached at the same epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import BEST, Fate, fate
from pipelines.results.figures.axes import clamp, figure
from pipelines.results.figures.labels import label, labels
from pipelines.results.figures.ped_anova import PedAnova
from search_spaces import Config, SearchSpace
from trainables.training.metrics import Metric

LEAST_TRIALS = 20  # so that the best quarter has the five trials that PED-ANOVA needs
SHUFFLES = 20
_TARGET = 0.25
_LONGEST_NAME = 24  # letters


class Scored(NamedTuple):
    """A trial, with the score that it had reached at the epoch at which all trials are compared."""

    number: int
    config: Config
    score: float


class Importance(NamedTuple):
    """A row for each parameter, the most important first."""

    names: list[str]
    shares: list[float]  # of the total importance; they add up to 1
    chance: list[float]  # the share that chance alone reaches 1 time in 20
    n_trials: int

    @property
    def beyond_chance(self) -> list[str]:
        """The parameters with a share that chance alone would hardly reach."""
        rows = zip(self.names, self.shares, self.chance, strict=True)
        return [name for name, share, chance in rows if share > chance]

    @property
    def even_share(self) -> float:
        """The share of each parameter if all were equally important."""
        return 1 / len(self.names)

    @property
    def outstanding(self) -> list[str]:
        """The parameters beyond chance that have more than an even share: of many small ones, some
        pass their mark by chance."""
        large = [n for n, s in zip(self.names, self.shares, strict=True) if s > self.even_share]
        return [name for name in self.beyond_chance if name in large]


def common_epoch(trials: Sequence[FinishedTrial]) -> int | None:
    """The last epoch that all trials have reached, except those that diverged, failed, or were cut
    short by the end of the search."""
    ran = [t.epochs for t in trials if fate(t) in (Fate.COMPLETE, Fate.STOPPED) and t.curve]
    return min(ran, default=None)


def scored(trials: Sequence[FinishedTrial], metric: Metric, epoch: int) -> list[Scored]:
    """The trials with their best value up to ``epoch``. A diverged trial gets the worst value of
    the others, so that its learning rate counts against it, but not more than that."""
    found: dict[int, float] = {}
    best = max if metric.mode == "max" else min
    for number, trial in enumerate(trials):
        values = [value for at, value in trial.curve.items() if at <= epoch]
        if fate(trial) not in (Fate.DIVERGED, Fate.FAILED) and epoch in trial.curve:
            found[number] = best(values)
    if not found:
        return []
    worst = (min if metric.mode == "max" else max)(found.values())
    for number, trial in enumerate(trials):
        if trial.diverged:
            found[number] = worst
    return [Scored(number, trials[number].config, score) for number, score in sorted(found.items())]


def better_half(rows: Sequence[Scored], metric: Metric) -> list[Scored]:
    """The half with the best scores."""
    ordered = sorted(rows, key=lambda row: row.score, reverse=metric.mode == "max")
    return ordered[: math.ceil(len(ordered) / 2)]


def importance_data(
    rows: Sequence[Scored], space: SearchSpace, metric: Metric, seed: int = 0
) -> Importance | None:
    """How much the best quarter differs from all in each parameter: PED-ANOVA (Watanabe et al.
    2023, arXiv 2304.10255). ``chance`` is the largest result of ``SHUFFLES`` random choices of the
    best trials. None if there are too few trials or nothing to compare.
    """
    names = [name for name, domain in space.domains.items() if not domain.single]
    if len(rows) < LEAST_TRIALS or len(names) < 2 or len({row.score for row in rows}) < 2:
        return None
    sign = 1.0 if metric.mode == "min" else -1.0
    losses = np.array([sign * row.score for row in rows])
    best = losses <= np.quantile(losses, _TARGET, method="inverted_cdf")
    if best.all():  # more than three quarters share the worst score, for example by divergence
        best = losses < losses.max()
    compared = PedAnova([row.config for row in rows], space)
    found = compared.importances(best)
    total = sum(found.values())
    if not total:
        return None
    rng = np.random.default_rng(seed)
    shuffled = [compared.importances(rng.permutation(best)) for _ in range(SHUFFLES)]
    ordered = sorted(names, key=lambda name: -found.get(name, 0.0))
    return Importance(
        ordered,
        [found.get(name, 0.0) / total for name in ordered],
        [max(other.get(name, 0.0) for other in shuffled) / total for name in ordered],
        len(rows),
    )


def importance_figure(data: Importance) -> go.Figure:
    """A bar for each parameter, hatched if it does not stand out, a mark at chance, and a line at
    an even share."""
    beyond, outstanding = data.beyond_chance, data.outstanding
    names = labels(data.names, _LONGEST_NAME)
    places = list(range(len(names)))
    bounds = 0.0, 1.3 * max(data.shares)
    drawn = figure(
        "importance",
        "",
        barmode="overlay",
        xaxis={"tickformat": ".0%", "range": bounds},
        yaxis={"range": [len(names) - 0.5, -0.5], "tickvals": places, "ticktext": names},
    )
    small = [name for name in beyond if name not in outstanding]
    within = [name for name in data.names if name not in beyond]
    for some, words, colour, shape in (
        (outstanding, "beyond chance", BEST, ""),
        (small, "beyond chance, but small", BEST, "/"),
        (within, "within chance", "#8c8c8c", "/"),
    ):
        if rows := [row for row in places if data.names[row] in some]:
            drawn.add_bar(
                x=[data.shares[row] for row in rows],
                y=rows,
                text=[label(data.names[row], 100) for row in rows],
                textposition="none",
                orientation="h",
                width=0.8,  # by default, the distance between the rows of its trace
                marker={"color": colour, "pattern": {"shape": shape}},
                hovertemplate="%{text}: %{x:.0%}<extra></extra>",
                name=words,
            )
    drawn.add_scatter(
        x=clamp(data.chance, bounds),
        y=places,
        text=[
            f"{label(name, 100)}: chance alone reaches {chance:.0%}"
            for name, chance in zip(data.names, data.chance, strict=True)
        ],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 12, "color": "#d55e00", "line": {"width": 2}},
        hovertemplate="%{text} one time in twenty<extra></extra>",
        cliponaxis=False,
        name="chance, 1 in 20",
    )
    line = {"color": "rgba(128,128,128,0.8)", "dash": "dot", "width": 1}
    return drawn.add_vline(x=data.even_share, line=line)
