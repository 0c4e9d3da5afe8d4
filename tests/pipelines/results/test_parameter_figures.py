"""One parameter, two, and all of them against the score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.results.fates import Fate
from pipelines.results.figures.importance import scored
from pipelines.results.figures.layers import MOST_POINTS as MOST_LAYERS
from pipelines.results.figures.layers import layers_data, layers_figure
from pipelines.results.figures.parallel import parallel_data, parallel_figure
from pipelines.results.figures.slices import MOST_POINTS, slice_data, slice_figure
from pipelines.results.figures.surface import surface_axes, surface_data, surface_figure
from search_spaces import AtLeast, Choice, Config, Float, Int, SearchSpace
from search_spaces.domains import Domain
from tests.pipelines.results.made import DIVERGED, FAILED, STOPPED, made, searched
from trainables.training.metrics import METRICS, Metric

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]
LR = Float(1e-4, 1.0, log=True)
SPACE = SearchSpace(
    {
        "lr": LR,
        "n": Int(1, 3),
        "second": Float(0.0, 1.0, when=AtLeast("n", 2)),
        "kind": Choice(("<x>", "y")),
        "fixed": Choice((7,)),
    }
)


def test_a_slice_has_the_trials_in_which_the_parameter_is_active() -> None:
    trials = [
        made([0.5], config={"n": 1}),
        made([0.6], config={"n": 2, "second": 0.3}),
        made([0.9], DIVERGED, {"n": 2, "second": 0.9}),
        made([], FAILED, {"n": 2, "second": 0.1}),
    ]
    data = slice_data("second", SPACE.domains["second"], trials, ACCURACY)
    assert data.number == [1, 2, 3]
    assert data.x == [0.3, 0.9, 0.1]
    assert data.y == [0.6, None, None]
    assert data.fate == [Fate.COMPLETE, Fate.DIVERGED, Fate.FAILED]
    assert data.best == 0.3


@pytest.mark.parametrize(
    ("domain", "value", "edge"),
    [
        (Float(1e-4, 1.0, log=True), 1.3e-4, "lower"),
        (Float(1e-4, 1.0, log=True), 1e-2, ""),
        (Float(0.0, 1.0), 0.97, "upper"),
        (Int(1, 5), 5, "upper"),
        (Int(3, 3), 3, ""),
        (Choice((1, 2)), 2, ""),
    ],
)
def test_the_best_at_an_edge(domain: Domain, value: float, edge: str) -> None:
    assert slice_data("x", domain, [made([0.5], config={"x": value})], ACCURACY).edge == edge


def test_an_edge_beyond_which_nothing_makes_sense_is_none() -> None:
    """A network has one layer at least."""
    trials = [made([0.5], config={"n_layers": 1})]
    assert slice_data("n_layers", Int(1, 5), trials, ACCURACY).edge == ""
    assert slice_data("n_layers", Int(2, 5), [made([0.5], config={"n_layers": 2})], ACCURACY).edge


def test_an_edge_is_that_of_the_best_trial_of_all() -> None:
    trials = [made([0.9], config={"n": 1}), made([0.5], config={"n": 2, "second": 1.0})]
    data = slice_data("second", SPACE.domains["second"], trials, ACCURACY)
    assert (data.best, data.edge) == (1.0, "")


def test_the_best_quarter_leaves_out_its_ends() -> None:
    """Of 40 trials the ten best have x from 0.30 to 0.39: one is left out on either side."""
    trials = [made([1 - abs(n - 34.6) / 100], config={"x": n / 100}) for n in range(40)]
    data = slice_data("x", Float(0.0, 1.0), trials, ACCURACY)
    assert data.best_range == (0.31, 0.38)
    few = slice_data("x", Float(0.0, 1.0), trials[:9], ACCURACY)
    assert few.best_range is None
    anywhere = [made([0.5], config={"x": n / 39}) for n in range(40)]
    best = [made([0.9], config={"x": n / 9}) for n in range(10)]
    assert slice_data("x", Float(0.0, 1.0), anywhere + best, ACCURACY).best_range is None


def test_of_very_many_trials_each_fate_and_the_best_are_drawn() -> None:
    stopped = [made([n / 10_000], STOPPED, {"lr": 0.1}) for n in range(4000)]
    whole = [made([0.5], config={"lr": 0.2}) for _ in range(3)]
    data = slice_data("lr", LR, [*stopped[::-1], *whole, *stopped], ACCURACY)
    figure = slice_figure(data, LR, "val_accuracy", ACCURACY)
    drawn = {number for trace in figure.data for number in trace.customdata.tolist()}
    assert MOST_POINTS * 0.9 < len(drawn) < MOST_POINTS * 1.1
    assert {4000, 4001, 4002} <= drawn, "those that were trained to the end"
    assert {*range(5), *range(8002, 7997, -1)} <= drawn, "the best of the others"


def test_where_trials_diverge_is_shaded_and_they_stretch_no_axis() -> None:
    sound = [
        made([0.5 + n / 100], config={"lr": lr}) for n, lr in enumerate([1e-3, 1e-2, 0.1, 0.2])
    ]
    diverged = [made([99.0], DIVERGED, {"lr": lr}) for lr in (0.8, 0.9, 1.0)]
    data = slice_data("lr", LR, sound + diverged, ACCURACY)
    assert data.diverges_above == pytest.approx(math.sqrt(0.2 * 0.8))
    figure = slice_figure(data, LR, "val_accuracy", ACCURACY)
    assert figure.layout.yaxis.range[1] < 0.6
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[-1].x0 == data.diverges_above
    few = slice_data("lr", LR, sound + diverged[:2], ACCURACY)
    assert few.diverges_above is None


def test_options_are_in_their_order_and_no_markup() -> None:
    trials = [made([0.5], config={"kind": "y"}), made([0.6], config={"kind": "<x>"})]
    data = slice_data("kind", SPACE.domains["kind"], trials, ACCURACY)
    figure = slice_figure(data, SPACE.domains["kind"], "val_accuracy", ACCURACY)
    assert list(figure.layout.xaxis.categoryarray) == ["&lt;x&gt;", "y"]
    assert set(figure.data[0].x) == {"&lt;x&gt;", "y"}


def test_a_line_passes_below_what_its_trial_does_not_have() -> None:
    trials = [
        made([0.9], config={"n": 1, "lr": 1e-4, "kind": "y", "fixed": 7}),
        made([0.5], STOPPED, {"n": 3, "second": 0.25, "lr": 1e-2, "kind": "<x>", "fixed": 7}),
        made([0.99], DIVERGED, {"n": 2, "second": 0.5, "lr": 1.0, "kind": "y", "fixed": 7}),
    ]
    data = parallel_data(trials, SPACE, ACCURACY, ["kind", "second", "lr", "n"])
    assert data.names == ["kind", "second", "lr", "n"]
    worst, best = data.lines
    assert (worst.number, worst.rank) == (1, 0.0)
    assert worst.positions == pytest.approx([0.0, 0.25, 0.5, 1.0])
    assert (best.number, best.rank, best.positions) == (0, 1.0, [1.0, None, 0.0, 0.0])
    below = [trace for trace in parallel_figure(data, SPACE).data if 0 in trace.customdata]
    assert min(y for y in below[0].y if not math.isnan(y)) < 0


def test_without_an_order_the_axes_are_those_of_the_space_that_vary() -> None:
    assert parallel_data(searched(20), SPACE, ACCURACY).names == ["lr"]
    assert parallel_data([], SPACE, ACCURACY).lines == []


def test_a_surface_is_over_two_numbers_that_every_config_has() -> None:
    assert surface_axes(SPACE, ["second", "kind", "n", "lr", "fixed"]) == ("n", "lr")
    assert surface_axes(SPACE, ["lr", "kind"]) is None


def test_the_surface_is_high_where_the_trials_are_and_unsure_where_there_are_none() -> None:
    space = SearchSpace({"a": Float(0.0, 1.0), "b": Float(1.0, 100.0, log=True)})
    rng = np.random.default_rng(0)
    places = [(float(a), float(10 ** (2 * b))) for a, b in rng.uniform(0, 0.7, (40, 2))]
    trials = [made([1 - (a - 0.3) ** 2], config={"a": a, "b": b}) for a, b in places]
    data = surface_data(scored(trials, ACCURACY, 1), space, ("a", "b"), ACCURACY)
    assert data is not None
    column = data.mean[:25, :25].max(axis=0).argmax()
    assert data.x[int(column)] == pytest.approx(0.3, abs=0.1)
    assert data.y[0] == 1.0
    assert data.y[-1] == pytest.approx(100.0)
    assert data.error[-1, -1] > 2 * data.error[10, 10]
    figure = surface_figure(data, space, "val_accuracy", ACCURACY)
    assert figure.layout.yaxis.type == "log"
    assert surface_data(scored(trials[:9], ACCURACY, 1), space, ("a", "b"), ACCURACY) is None


def test_layers_and_their_mean_width() -> None:
    trials = [
        made([0.9], config={"n_layers": 2, "width_1": 4, "width_2": 16}),
        made([0.5], config={"n_layers": 1, "width_1": 32}),
        made([0.99], DIVERGED, {"n_layers": 1, "width_1": 8}),
    ]
    data = layers_data(trials, ACCURACY)
    assert data is not None
    assert data.number == [1, 0]
    assert data.layers == [1, 2]
    assert data.width == pytest.approx([32, 8])
    assert data.widths == ["32", "4 x 16"]
    assert len(layers_figure(data, "val_accuracy", ACCURACY).data[0].x) == 2
    assert layers_data([made([0.5], config={"lr": 0.1})], ACCURACY) is None


@pytest.mark.parametrize(
    "config",
    [
        {"n_layers": 0},
        {"n_layers": "few", "width_1": 4},
        {"n_layers": True, "width_1": 4},
        {"n_layers": -1},
        {"n_layers": 1, "width_1": "narrow"},
        {"n_layers": 1, "width_1": -4},
        {"n_layers": 2, "width_1": 4, "width_2": 0},
        {"n_layers": 2, "width_1": 4},
    ],
)
def test_layers_that_mean_something_else_are_none(config: Config) -> None:
    """In a space of the user's own."""
    sound = made([0.5], config={"n_layers": 1, "width_1": 4.0})
    assert layers_data([made([0.6], config=config)], ACCURACY) is None
    data = layers_data([made([0.6], config=config), sound], ACCURACY)
    assert data is not None
    assert data.number == [1]


@pytest.mark.parametrize(("metric", "best"), [(ACCURACY, range(3999, 3979, -1)), (LOSS, range(20))])
def test_of_very_many_layers_the_best_are_drawn(metric: Metric, best: range) -> None:
    config = {"n_layers": 1, "width_1": 4}
    trials = [made([n / 4000], config=config, mode=metric.mode) for n in range(4000)]
    data = layers_data(trials, metric)
    assert data is not None
    (points,) = layers_figure(data, "value", metric).data
    assert len(set(points.customdata)) == len(points.x) == MOST_LAYERS
    assert set(best) <= set(points.customdata)
