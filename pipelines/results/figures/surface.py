"""The score over two parameters: a Gaussian process fitted to the trials, and its uncertainty."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.scores import shown_score
from pipelines.results.figures.axes import (
    NUMBERS,
    clamp,
    compact,
    figure,
    log_axis,
    position,
    score_range,
    thin,
    whole,
)
from pipelines.results.figures.importance import Scored
from pipelines.results.figures.labels import label
from search_spaces import Choice, Float, Int, SearchSpace
from trainables.training.metrics import Metric

LEAST_TRIALS = 10
MOST_TRIALS = 200  # to which the process is fitted: its cost grows with their cube
_CELLS = 40
_LONGEST_NAME = 24  # letters that a small figure has room for


class Surface(NamedTuple):
    """Over two parameters: ``mean`` and ``error`` have a row for each value of ``y``."""

    names: tuple[str, str]
    x: list[float]
    y: list[float]
    mean: np.ndarray
    error: np.ndarray  # the standard deviation of the mean
    number: list[int]
    points: list[tuple[float, float]]
    scores: list[float]


def surface_axes(space: SearchSpace, names: Sequence[str]) -> tuple[str, str] | None:
    """The first two of ``names`` that are numbers and that every config has."""
    numbers = [
        name
        for name in names
        if not isinstance(space.domains[name], Choice)
        and not space.domains[name].single
        and space.domains[name].when is None
    ]
    return (numbers[0], numbers[1]) if len(numbers) > 1 else None


def surface_data(
    rows: Sequence[Scored], space: SearchSpace, names: tuple[str, str], metric: Metric
) -> Surface | None:
    """A Gaussian process with noise (Rasmussen and Williams 2006, section 2.2) over two parameters
    on the scale of their domains, without the other parameters. None if there are too few trials,
    if all scores are equal, or if they are too small or too large to be squared."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    rows = [row for row in rows if all(name in row.config for name in names)]
    ordered = sorted(rows, key=lambda row: row.score, reverse=metric.mode == "max")
    if len(ordered) < LEAST_TRIALS or len({row.score for row in rows}) < 2:
        return None
    ordered = thin(ordered, MOST_TRIALS)
    domains = [space.domains[name] for name in names]
    at = [
        [position(d, row.config[n]) for n, d in zip(names, domains, strict=True)] for row in ordered
    ]
    scores = [row.score for row in ordered]
    inside = np.array(clamp(scores, score_range(scores, metric.mode)))
    with np.errstate(all="ignore"):
        centre, scale = inside.mean(), inside.std()
    if not 0 < scale < np.inf:  # the scores, or their squares, are too small or too large
        return None
    kernel = Matern([0.3, 0.3], (0.1, 10.0), nu=2.5) + WhiteKernel(0.1, (1e-4, 10.0))
    process = GaussianProcessRegressor(kernel, random_state=0)
    cells = np.linspace(0, 1, _CELLS)
    grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length scale at its bound does no harm
        process.fit(np.array(at), (inside - centre) / scale)
        mean, deviation = process.predict(grid, return_std=True)
    noise = process.kernel_.k2.noise_level
    error = np.sqrt(np.maximum(deviation**2 - noise, 0))  # of the mean, not of one more trial
    x, y = ([_value(domain, cell) for cell in cells] for domain in domains)
    return Surface(
        names,
        x,
        y,
        centre + scale * mean.reshape(_CELLS, _CELLS),
        scale * error.reshape(_CELLS, _CELLS),
        [row.number for row in ordered],
        [tuple(float(row.config[name]) for name in names) for row in ordered],  # type: ignore[misc]
        scores,
    )


def _value(domain: object, position: float) -> float:
    assert isinstance(domain, Float | Int)
    if domain.log:
        return float(domain.low * (domain.high / domain.low) ** position)
    return float(domain.low + (domain.high - domain.low) * position)


def surface_figure(
    data: Surface, space: SearchSpace, score: str, metric: Metric, *, unsure: bool = False
) -> go.Figure:
    """The fitted score, or with ``unsure`` its standard deviation, and the trials as points. Light
    means a good score, or a small deviation."""
    x, y = (label(name, _LONGEST_NAME) for name in data.names)
    drawn = figure(x, y, showlegend=False)
    good_is_high = metric.mode == "max" and not unsure
    drawn.add_contour(
        x=np.array(data.x),
        y=np.array(data.y),
        z=compact(data.error if unsure else data.mean),
        colorscale="Cividis" if unsure else "Viridis",
        reversescale=not good_is_high,
        ncontours=14,
        colorbar={"title": {"text": "± " + score if unsure else score, "side": "right"}, **NUMBERS},
        line={"width": 0},
        hovertemplate="%{x:.3g}, %{y:.3g}: %{z:.5~g}<extra></extra>",
    )
    drawn.add_scatter(
        x=np.array([x for x, _ in data.points]),
        y=np.array([y for _, y in data.points]),
        customdata=np.array(data.number),
        text=[shown_score(value) for value in data.scores],
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
        mode="markers",
        marker={"size": 6, "color": "white", "line": {"color": "black", "width": 1}},
    )
    for name, update in zip(data.names, (drawn.update_xaxes, drawn.update_yaxes), strict=True):
        domain = space.domains[name]
        assert not isinstance(domain, Choice)
        bounds = [domain.low, domain.high]
        if domain.log:
            axis = log_axis(*bounds, integers=isinstance(domain, Int))
            update(range=np.log10(bounds).tolist(), **axis)
        else:
            update(range=bounds, **(whole(*bounds) if isinstance(domain, Int) else {}))
    return drawn
