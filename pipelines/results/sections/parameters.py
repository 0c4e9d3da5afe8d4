"""Each parameter against the score, all together, and two at a time."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.results import wording
from pipelines.results.fates import fates, is_sound
from pipelines.results.figures.axes import score_range
from pipelines.results.figures.layers import MOST_POINTS as MOST_LAYERS
from pipelines.results.figures.layers import layers_data, layers_figure
from pipelines.results.figures.parallel import MOST_LINES, parallel_data, parallel_figure
from pipelines.results.figures.slices import (
    MOST_POINTS,
    Slice,
    key_figure,
    slice_data,
    slice_figure,
)
from pipelines.results.figures.surface import surface_axes, surface_data, surface_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.study.typed import shown
from search_spaces.domains import Domain

_TITLE = "The parameters"
LEAST_TRIALS = 5
_AXIS_WIDTH = 64  # pixels for an axis of the parallel coordinates and its words
_SOME = (
    "Each parameter against the score: of {} trials, the figures show the best and some of each "
    "state."
)


def parameters(found: Findings) -> Section:
    """Isolation plots, parallel coordinates, a surface, and layers against width."""
    if len(found.trials) < LEAST_TRIALS:
        n = wording.count(len(found.trials), "trial")
        return Section("parameters", _TITLE, [Words(f"Too few trials to draw: {n}.")])
    if found.best is None:
        return Section("parameters", _TITLE, [Words("No trial has a value to draw.")])
    slices = _slices(found)
    blocks: list[Block] = [Words(line) for line in edge_lines(found, slices)]
    if (source := found.run.spec.space.zoom_from) is not None:
        blocks.append(Words(f"The ranges were set by the best trials of {shown(source)}.", "note"))
    if any(data.diverges_above is not None for data in slices):
        blocks.append(Words("Red: the range in which most trials diverge.", "note"))
    if any(data.best_range is not None for data in slices):
        blocks.append(Words("Green: the range of the best quarter of the trials.", "note"))
    if any(len(data.x) > MOST_POINTS for data in slices):
        blocks.append(Words(_SOME.format(len(found.trials)), "note"))
    drawings = [*_surface(found), *_layers(found), *_parallel(found)]
    values = [trial.value for trial in found.trials if is_sound(trial)]
    bounds = score_range([v for v in values if v is not None], found.metric.mode)
    if slices:
        key = key_figure(fates(found.trials))
        drawings.append(Drawing("key", key, height=44, wide=True, role=""))
    drawings += [
        Drawing(
            f"slice-{place}",
            slice_figure(data, found.space.domains[data.name], found.score, found.metric, bounds),
            _caption(data, found.space.domains[data.name]),
            height=260,
        )
        for place, data in enumerate(slices)
    ]
    return Section("parameters", _TITLE, blocks, drawings)


def _slices(found: Findings) -> list[Slice]:
    """A slice of each parameter with several values, the most important parameter first."""
    names = [name for name, domain in found.space.domains.items() if not domain.single]
    if found.importance is not None:
        names.sort(key=found.importance.names.index)
    slices = [slice_data(n, found.space.domains[n], found.trials, found.ranked) for n in names]
    return [data for data in slices if len(set(data.x)) > 1]


def edge_lines(found: Findings, slices: list[Slice] | None = None) -> Iterator[str]:
    """A sentence for each parameter whose best value lies at an edge of its range."""
    for data in _slices(found) if slices is None else slices:
        if data.edge:
            yield (
                f"{data.name}: the best, {wording.value(data.best)}, lies at the {data.edge} edge "
                f"of {found.space.domains[data.name]}. A wider range may hold better ones."
            )


def _caption(data: Slice, domain: Domain) -> str:
    parts = [] if domain.when is None else [f"where {domain.when}"]
    if data.best is not None:
        parts.append(f"best {wording.value(data.best)}")
    if data.best_range is not None:
        low, high = data.best_range
        parts.append(f"best quarter {wording.value(low)} to {wording.value(high)}")
    return ", ".join(parts)


def _parallel(found: Findings) -> list[Drawing]:
    order = [] if found.importance is None else found.importance.names
    data = parallel_data(found.trials, found.space, found.ranked, order)
    if len(data.names) < 2 or not data.lines:
        return []
    caption = (
        "Each line is a trial: the greener, the better. A line passes below the axis of a "
        "parameter that its trial does not have."
    )
    if data.varied > len(data.names):
        some = f"The {len(data.names)} most important" if order else f"{len(data.names)}"
        caption += f" {some} of {data.varied} parameters."
    if len(data.lines) == MOST_LINES:
        caption += f" {MOST_LINES} of {len(found.trials)} trials are drawn."
    figure = parallel_figure(data, found.space)
    width = _AXIS_WIDTH * len(data.names)
    return [Drawing("parallel", figure, caption, height=420, wide=True, least_width=width)]


def _surface(found: Findings) -> list[Drawing]:
    order = list(found.space.domains) if found.importance is None else found.importance.names
    names = surface_axes(found.space, order)
    if names is None or found.importance is None:
        return []
    data = surface_data(found.scored, found.space, names, found.metric)
    if data is None:
        return []
    which = " and ".join(names)
    if found.importance.outstanding:
        which = f"{which}, the most important numeric parameters that every trial has"
    fitted = surface_figure(data, found.space, found.score, found.metric)
    unsure = surface_figure(data, found.space, found.score, found.metric, unsure=True)
    return [
        Drawing(
            "surface",
            fitted,
            f"{found.score} at epoch {found.epoch} over {which}: a Gaussian process fitted to the "
            "trials, without the other parameters",
        ),
        Drawing("surface-unsure", unsure, "How uncertain this fit is: one standard deviation"),
    ]


def _layers(found: Findings) -> list[Drawing]:
    data = layers_data(found.trials, found.metric)
    if data is None or len(set(data.widths)) < 2:
        return []
    caption = "The number of layers, and their width (geometric mean)"
    if len(data.number) > MOST_LAYERS:
        caption += f"; {MOST_LAYERS} of {len(data.number)} trials are drawn, including the best"
    figure = layers_figure(data, found.score, found.metric)
    return [Drawing("layers", figure, caption)]
