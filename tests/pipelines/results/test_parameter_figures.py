"""Figures of one parameter, of two, and of all parameters against the score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.record.trials import FinishedTrial, ranked
from pipelines.results.fates import Fate
from pipelines.results.figures.curves import curves_data
from pipelines.results.figures.importance import scored
from pipelines.results.figures.layers import MOST_POINTS as MOST_LAYERS
from pipelines.results.figures.layers import layers_data, layers_figure
from pipelines.results.figures.parallel import parallel_data, parallel_figure
from pipelines.results.figures.slices import (
    MOST_POINTS,
    Slice,
    key_figure,
    slice_data,
    slice_figure,
)
from pipelines.results.figures.surface import surface_axes, surface_data, surface_figure
from search_spaces import AtLeast, Choice, Config, Float, Int, SearchSpace
from search_spaces.domains import Domain
from tests.pipelines.results.made import DIVERGED, FAILED, STOPPED, made, searched
from trainables.training.metrics import METRICS, Metric

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]
BOUNDS = (0.0, 1.0)
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


def slice_of(name: str, domain: Domain, trials: Sequence[FinishedTrial]) -> Slice:
    return slice_data(name, domain, trials, ranked(trials, ACCURACY))


def test_a_slice_has_the_trials_in_which_the_parameter_is_active() -> None:
    trials = [
        made([0.5], config={"n": 1}),
        made([0.6], config={"n": 2, "second": 0.3}),
        made([0.9], DIVERGED, {"n": 2, "second": 0.9}),
        made([], FAILED, {"n": 2, "second": 0.1}),
    ]
    data = slice_of("second", SPACE.domains["second"], trials)
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
    assert slice_of("x", domain, [made([0.5], config={"x": value})]).edge == edge


def test_an_edge_beyond_which_nothing_makes_sense_is_none() -> None:
    """A network has at least one layer."""
    trials = [made([0.5], config={"n_layers": 1})]
    assert slice_of("n_layers", Int(1, 5), trials).edge == ""
    assert slice_of("n_layers", Int(2, 5), [made([0.5], config={"n_layers": 2})]).edge


def test_an_edge_is_that_of_the_best_trial_of_all() -> None:
    trials = [made([0.9], config={"n": 1}), made([0.5], config={"n": 2, "second": 1.0})]
    data = slice_of("second", SPACE.domains["second"], trials)
    assert (data.best, data.edge) == (1.0, "")


def test_equal_trials_elsewhere_leave_no_reason_for_a_wider_range() -> None:
    best = [made([0.9], config={"x": x}) for x in (0.01, 0.03)]
    worse = [made([0.8], config={"x": 0.5})]
    assert slice_of("x", Float(0.0, 1.0), best + worse).edge == "lower"
    assert slice_of("x", Float(0.0, 1.0), [*best, made([0.9], config={"x": 0.5})]).edge == ""
    assert slice_of("x", Float(0.0, 1.0), [*best, made([0.9], config={"y": 0.5})]).edge == ""


def test_trials_as_good_as_the_last_of_the_best_quarter_belong_to_it() -> None:
    worse = [made([0.5], config={"x": n / 99}) for n in range(10)]
    equal = [made([0.9], config={"x": 0.3 + n / 100}) for n in range(20)]
    assert slice_of("x", Float(0.0, 1.0), equal + worse).best_range == (0.32, 0.47)
    assert slice_of("x", Float(0.0, 1.0), equal).best_range is None


def test_equal_trials_have_lines_of_the_same_colour() -> None:
    trials = [made([value], config={"n": n}) for n, value in enumerate((0.5, 0.9, 0.9, 0.1))]
    lines = parallel_data(trials, SPACE, ranked(trials, ACCURACY)).lines
    ranks = {line.number: line.rank for line in lines}
    assert ranks[1] == ranks[2] == 1
    assert ranks[0] == pytest.approx(1 / 3)
    assert ranks[3] == 0


def test_the_best_quarter_leaves_out_its_ends() -> None:
    """The ten best of 40 trials have x from 0.30 to 0.39. One is left out on either side."""
    trials = [made([1 - abs(n - 34.6) / 100], config={"x": n / 100}) for n in range(40)]
    data = slice_of("x", Float(0.0, 1.0), trials)
    assert data.best_range == (0.31, 0.38)
    few = slice_of("x", Float(0.0, 1.0), trials[:9])
    assert few.best_range is None
    anywhere = [made([0.5], config={"x": n / 39}) for n in range(40)]
    best = [made([0.9], config={"x": n / 9}) for n in range(10)]
    assert slice_of("x", Float(0.0, 1.0), anywhere + best).best_range is None


def test_of_very_many_trials_each_fate_and_the_best_are_drawn() -> None:
    stopped = [made([n / 10_000], STOPPED, {"lr": 0.1}) for n in range(4000)]
    whole = [made([0.5], config={"lr": 0.2}) for _ in range(3)]
    data = slice_of("lr", LR, [*stopped[::-1], *whole, *stopped])
    figure = slice_figure(data, LR, "val_accuracy", ACCURACY, BOUNDS)
    drawn = {number for trace in figure.data for number in trace.customdata.tolist()}
    assert MOST_POINTS * 0.9 < len(drawn) < MOST_POINTS * 1.1
    assert {4000, 4001, 4002} <= drawn, "those that were trained to the end"
    assert {*range(5), *range(8002, 7997, -1)} <= drawn, "the best of the others"


def test_where_trials_diverge_is_shaded_and_they_stretch_no_axis() -> None:
    sound = [
        made([0.5 + n / 100], config={"lr": lr}) for n, lr in enumerate([1e-3, 1e-2, 0.1, 0.2])
    ]
    diverged = [made([99.0], DIVERGED, {"lr": lr}) for lr in (0.8, 0.9, 1.0)]
    data = slice_of("lr", LR, sound + diverged)
    assert data.diverges_above == pytest.approx(math.sqrt(0.2 * 0.8))
    figure = slice_figure(data, LR, "val_accuracy", ACCURACY, BOUNDS)
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[-1].x0 == data.diverges_above
    few = slice_of("lr", LR, sound + diverged[:2])
    assert few.diverges_above is None


def test_a_point_is_told_with_its_own_value_wherever_it_lies() -> None:
    trials = [
        made([0.5], config={"lr": 0.1}),
        made([-55.0], config={"lr": 0.2}),
        made([0.9], DIVERGED, {"lr": 0.3}),
    ]
    figure = slice_figure(slice_of("lr", LR, trials), LR, "val_accuracy", ACCURACY, BOUNDS)
    points = [zip(trace.customdata, trace.text, strict=True) for trace in figure.data]
    told = {number: text for trace in points for number, text in trace}
    assert told == {0: "0.1, 0.5000", 1: "0.2, -55.000", 2: "0.3, no value"}
    assert {min(trace.y) for trace in figure.data} == {BOUNDS[0]}
    assert tuple(figure.layout.yaxis.range) == BOUNDS
    assert not any(trace.cliponaxis for trace in figure.data)


def test_options_are_in_their_order_and_no_markup() -> None:
    trials = [made([0.5], config={"kind": "y"}), made([0.6], config={"kind": "<x>"})]
    kind = SPACE.domains["kind"]
    figure = slice_figure(slice_of("kind", kind, trials), kind, "s", ACCURACY, BOUNDS)
    assert list(figure.layout.xaxis.ticktext) == ["&lt;x&gt;", "y"]
    assert max(figure.layout.xaxis.autotickangles) == 0, "a last label would go beyond the edge"
    assert list(figure.data[0].x) == [1, 0]


def test_a_short_logarithmic_axis_has_whole_numbers_at_its_ticks() -> None:
    rate = Float(0.02, 0.5, log=True)
    trials = [made([0.5], config={"rate": value}) for value in (0.03, 0.4)]
    figure = slice_figure(slice_of("rate", rate, trials), rate, "s", ACCURACY, BOUNDS)
    assert list(figure.layout.xaxis.ticktext) == ["0.02", "0.05", "0.1", "0.2", "0.5"]


def test_long_options_that_differ_in_the_middle_are_different_columns() -> None:
    options = tuple(f"{'a' * 40}{letter}{'z' * 40}" for letter in "pq")
    domain = Choice(options)
    trials = [made([0.5], config={"kind": option}) for option in options]
    figure = slice_figure(slice_of("kind", domain, trials), domain, "s", ACCURACY, BOUNDS)
    assert list(figure.data[0].x) == list(figure.layout.xaxis.tickvals) == [0, 1]
    assert len(set(figure.layout.xaxis.ticktext)) == 2
    assert options[1] in figure.data[0].text[1]


def test_the_best_of_equals_is_the_one_that_is_ranked_first() -> None:
    trials = [made([0.5], config={"lr": lr}) for lr in (1e-3, 1e-2)]
    data = slice_data("lr", LR, trials, trials[::-1])
    assert data.best == 1e-2
    others = [*trials[::-1], made([0.9], config={"lr": 0.5})]
    assert slice_data("lr", LR, trials, others[::-1]).best == 1e-3, "of those alone that are drawn"
    assert parallel_data(trials, SPACE, trials[::-1]).lines[-1].number == 1
    assert curves_data(trials, trials[::-1]).top[0].number == 1


def test_whole_parameters_have_no_halves() -> None:
    trials = [made([0.5], config={"n": n}) for n in (1, 2)]
    n = SPACE.domains["n"]
    figure = slice_figure(slice_of("n", n, trials), n, "s", ACCURACY, BOUNDS)
    assert figure.layout.xaxis.dtick == 1


def test_the_key_has_each_fate_once() -> None:
    key = key_figure([Fate.STOPPED, Fate.COMPLETE])
    assert [trace.name for trace in key.data] == [Fate.COMPLETE, Fate.STOPPED]
    assert key.layout.showlegend


def test_a_line_passes_below_what_its_trial_does_not_have() -> None:
    trials = [
        made([0.9], config={"n": 1, "lr": 1e-4, "kind": "y", "fixed": 7}),
        made([0.5], STOPPED, {"n": 3, "second": 0.25, "lr": 1e-2, "kind": "<x>", "fixed": 7}),
        made([0.99], DIVERGED, {"n": 2, "second": 0.5, "lr": 1.0, "kind": "y", "fixed": 7}),
    ]
    data = parallel_data(trials, SPACE, ranked(trials, ACCURACY), ["kind", "second", "lr", "n"])
    assert data.names == ["kind", "second", "lr", "n"]
    worst, best = data.lines
    assert (worst.number, worst.rank) == (1, 0.0)
    assert worst.positions == pytest.approx([0.0, 0.25, 0.5, 1.0])
    assert (best.number, best.rank, best.positions) == (0, 1.0, [1.0, None, 0.0, 0.0])
    below = [trace for trace in parallel_figure(data, SPACE).data if 0 in trace.customdata]
    assert min(y for y in below[0].y if not math.isnan(y)) < 0


def test_without_an_order_the_axes_are_those_of_the_space_that_vary() -> None:
    trials = searched(20)
    assert parallel_data(trials, SPACE, ranked(trials, ACCURACY)).names == ["lr"]
    assert parallel_data([], SPACE, []).lines == []


def test_what_the_axes_leave_out_is_counted_and_long_names_are_told_in_full() -> None:
    names = [f"{'very_' * 10}long_{n}" for n in range(15)]
    space = SearchSpace({name: Choice(("a" * 30, "b")) for name in names})
    trials = [made([n / 10], config=dict.fromkeys(names, v)) for n, v in enumerate(("a" * 30, "b"))]
    data = parallel_data(trials, space, ranked(trials, ACCURACY))
    assert (len(data.names), data.varied) == (12, 15)
    figure = parallel_figure(data, space)
    assert max(map(len, figure.layout.xaxis.ticktext)) <= 16
    assert len(set(figure.layout.xaxis.ticktext)) == 12
    assert figure.layout.annotations[0].hovertext == f"{names[0]}: {'a' * 30}"


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
    assert figure.layout.yaxis.dtick == 1
    small = SearchSpace({"a": Int(1, 4), "b": Float(0.02, 0.5, log=True)})
    figure = surface_figure(data, small, "val_accuracy", ACCURACY)
    assert figure.layout.xaxis.dtick == 1
    assert list(figure.layout.yaxis.ticktext) == ["0.02", "0.05", "0.1", "0.2", "0.5"]
    assert surface_data(scored(trials[:9], ACCURACY, 1), space, ("a", "b"), ACCURACY) is None


@pytest.mark.parametrize("size", [1e-300, 1e308])
def test_there_is_no_surface_of_scores_that_cannot_be_squared(size: float) -> None:
    space = SearchSpace({"a": Float(0.0, 1.0), "b": Float(0.0, 1.0)})
    places = np.random.default_rng(0).uniform(0, 1, (20, 2)).tolist()
    trials = [made([size * (a + 0.1)], config={"a": a, "b": b}) for a, b in places]
    assert surface_data(scored(trials, ACCURACY, 1), space, ("a", "b"), ACCURACY) is None


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
    drawn = layers_figure(data, "val_accuracy", ACCURACY)
    assert len(drawn.data[0].x) == 2
    assert list(drawn.layout.yaxis.ticktext) == ["8", "9", "10", "15", "20", "30"]
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
    """In a user's own search space."""
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
