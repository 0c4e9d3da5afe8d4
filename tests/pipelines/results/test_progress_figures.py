"""Figures of the best so far, of learning curves, and of the rates of one trial."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.trials import ranked
from pipelines.results.fates import Fate
from pipelines.results.figures.best_so_far import (
    MOST_POINTS,
    Against,
    best_so_far_data,
    best_so_far_figure,
)
from pipelines.results.figures.comparison import best_so_far_figure as algorithms_figure
from pipelines.results.figures.curves import curves_data, curves_figure, outside
from pipelines.results.figures.rates import Rates, rates_data, rates_figure
from pipelines.results.figures.schedule import Plan
from pipelines.results.figures.side_by_side import side_by_side_figure
from pipelines.study.comparing.comparison import Curve
from tests.pipelines.results.made import COMPLETE, DIVERGED, FAILED, STOPPED, made
from trainables.training.metrics import METRICS, Metric

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]
TRIALS = [
    made([0.5, 0.6], COMPLETE, started=100.0, seconds=60.0),
    made([0.99], DIVERGED, started=100.0, seconds=120.0),
    made([], FAILED, started=160.0, seconds=60.0),
    made([0.4], STOPPED, started=160.0, seconds=120.0),
    made([0.7], STOPPED, started=220.0, seconds=120.0),
]


def test_the_best_so_far_is_of_sound_trials() -> None:
    data = best_so_far_data(TRIALS, ACCURACY)
    assert data.best == [0.6, 0.6, 0.6, 0.6, 0.7]
    assert data.value == [0.6, None, None, 0.4, 0.7]
    assert data.epochs == [2, 3, 3, 4, 5]
    assert data.time == [60, 120, 120, 180, 240]
    assert data.fate == [Fate.COMPLETE, Fate.DIVERGED, Fate.FAILED, Fate.STOPPED, Fate.STOPPED]


def test_lower_is_better_for_a_loss() -> None:
    trials = [made([2.0], mode="min"), made([1.0], mode="min"), made([3.0], mode="min")]
    assert best_so_far_data(trials, LOSS).best == [2.0, 1.0, 1.0]


def test_before_the_first_sound_trial_there_is_no_best() -> None:
    data = best_so_far_data([TRIALS[1], TRIALS[0]], ACCURACY)
    assert data.best == [None, 0.6]
    assert best_so_far_data([], ACCURACY).best == []


def test_what_has_no_value_lies_on_the_bad_edge() -> None:
    figure = best_so_far_figure(best_so_far_data(TRIALS, ACCURACY), "val_accuracy", ACCURACY)
    low, high = figure.layout.yaxis.range
    (diverged,) = (trace for trace in figure.data if trace.name == "diverged")
    assert list(diverged.y) == [low]
    assert list(diverged.customdata) == [1]
    assert high < 0.8, "the 0.99 of a diverged trial stretches no axis"


def test_of_very_many_trials_every_improvement_is_a_point() -> None:
    """Else the line would rise at places where no trial is to be seen."""
    trials = [made([0.5 + 0.3 * (n == 101)]) for n in range(MOST_POINTS * 2)]
    figure = best_so_far_figure(best_so_far_data(trials, ACCURACY), "val_accuracy", ACCURACY)
    (points, line) = figure.data
    assert set(line.x[:2]) <= set(points.x)
    assert len(points.x) < MOST_POINTS * 1.1


@pytest.mark.parametrize(
    ("seconds", "unit", "last"), [(5.0, "seconds", 5), (300.0, "minutes", 5), (18000.0, "hours", 5)]
)
def test_time_is_in_the_unit_of_its_length(seconds: float, unit: str, last: float) -> None:
    trials = [made([0.5], started=0.0, seconds=seconds)]
    data = best_so_far_data(trials, ACCURACY)
    for figure in (
        best_so_far_figure(data, "val_accuracy", ACCURACY, "time"),
        side_by_side_figure({"a": data}, "val_accuracy", ACCURACY, "time"),
    ):
        assert figure.layout.xaxis.title.text == unit
        assert figure.layout.xaxis.rangemode == "tozero"
        assert list(figure.data[0].x) == [last]


@pytest.mark.parametrize("against", ["trials", "epochs"])
def test_there_are_no_half_trials(against: Against) -> None:
    figure = best_so_far_figure(best_so_far_data(TRIALS, ACCURACY), "s", ACCURACY, against)
    assert figure.layout.xaxis.dtick == 1


def test_each_trial_is_told_with_its_own_value_wherever_it_lies() -> None:
    far = [*[made([0.9 + n / 100]) for n in range(8)], made([-55.0]), made([1.0], DIVERGED)]
    figure = best_so_far_figure(best_so_far_data(far, ACCURACY), "s", ACCURACY)
    points = [zip(trace.customdata, trace.text, strict=True) for trace in figure.data[:-1]]
    told = {number: text for trace in points for number, text in trace}
    assert (told[8], told[9]) == ("-55.000", "no value")
    assert not any(trace.cliponaxis for trace in figure.data[:-1])


def test_no_trial_lies_beyond_the_curves_because_others_have_many_epochs() -> None:
    good = [made([0.9 + n / 1000] * 30) for n in range(8)]
    short = [made([n / 10], STOPPED) for n in range(8)]
    data = curves_data(good + short, ranked(good + short, ACCURACY))
    low, _ = curves_figure(data, "val_accuracy", ACCURACY).layout.yaxis.range
    assert low < 0
    assert outside(data, ACCURACY) == 0


@pytest.mark.parametrize(("metric", "far"), [(ACCURACY, -9.0), (LOSS, 9.0)])
def test_trials_far_off_are_counted(metric: Metric, far: float) -> None:
    trials = [*[made([n / 10], mode=metric.mode) for n in range(8)], made([far], mode=metric.mode)]
    assert outside(curves_data(trials, ranked(trials, metric)), metric) == 1


def test_a_curve_that_begins_below_the_figure_is_counted() -> None:
    trials = [made([0.1, *(0.9 + n / 100 for n in range(9))])]
    assert outside(curves_data(trials, trials), ACCURACY) == 1


def test_curves_are_of_sound_trials_the_best_first() -> None:
    data = curves_data(TRIALS, ranked(TRIALS, ACCURACY), top=2)
    assert [curve.number for curve in data.top] == [4, 0]
    assert [curve.number for curve in data.others] == [3]
    assert data.top[1].epochs == [1, 2]
    assert data.top[1].values == [0.5, 0.6]
    assert data.left_out == 0


def test_of_very_many_curves_the_best_and_some_of_the_others_are_kept() -> None:
    trials = [made([n / 1000]) for n in range(1000)]
    data = curves_data(trials, ranked(trials, ACCURACY), top=5, most=10)
    assert [curve.number for curve in data.top] == [999, 998, 997, 996, 995]
    assert len(data.others) == 10
    assert data.others[-1].number == 0
    assert data.left_out == 985


def test_the_others_are_one_line_with_gaps() -> None:
    trials = [*[made([0.9])] * 5, made([0.1, 0.2], STOPPED), made([0.3], STOPPED)]
    data = curves_data(trials, ranked(trials, ACCURACY))
    figure = curves_figure(data, "val_accuracy", ACCURACY, (1, 3, 9))
    (grey,) = (trace for trace in figure.data if trace.name.startswith("stopped early"))
    np.testing.assert_array_equal(grey.x, [1, math.nan, 1, 2, math.nan])
    np.testing.assert_array_equal(grey.customdata, [6, 6, 5, 5, 5])
    assert [(shape.x0, shape.layer) for shape in figure.layout.shapes] == [
        (1, "above"),  # a grid line would hide it
        (3, "above"),
    ]


def test_runs_side_by_side_begin_with_their_first_value_and_step_at_each_best() -> None:
    data = {"a": best_so_far_data(TRIALS, ACCURACY), "<b>": best_so_far_data([], ACCURACY)}
    figure = side_by_side_figure(data, "val_accuracy", ACCURACY, "trials")
    first, empty = figure.data
    assert list(first.x) == [1, 5]
    assert list(first.y) == [0.6, 0.7]
    assert len(empty.x) == 0
    assert empty.name == "&lt;b&gt;"
    alike = {f"{'a' * 30}{n}{'b' * 30}": best_so_far_data([], ACCURACY) for n in range(2)}
    figure = side_by_side_figure(alike, "val_accuracy", ACCURACY, "trials")
    assert len({line.name for line in figure.data}) == 2


def test_no_run_is_beyond_the_axis_of_several() -> None:
    good = best_so_far_data([made([0.9 + n / 1000]) for n in range(20)], ACCURACY)
    poor = best_so_far_data([made([0.2]), made([0.3])], ACCURACY)
    figure = side_by_side_figure({"good": good, "poor": poor}, "val_accuracy", ACCURACY, "trials")
    assert figure.layout.yaxis.range[0] < 0.3


def test_bands_surround_their_lines_at_every_step() -> None:
    curve = Curve("a", [10, 20, 30], [0.5, 0.6, 0.7], [0.1, 0.05, 0.02])
    figure = algorithms_figure([curve, replace(curve, algo="<b>")], "val_accuracy")
    lower, upper, line = figure.data[:3]
    assert list(lower.y) == pytest.approx([0.4, 0.55, 0.68])
    assert list(upper.y) == pytest.approx([0.6, 0.65, 0.72])
    assert list(lower.x) == list(upper.x) == list(line.x) == [10, 20, 30]
    assert {trace.line.shape for trace in figure.data} == {"hv"}
    assert (lower.fill, upper.fill) == (None, "tonexty")
    assert figure.data[-1].name == "&lt;b&gt;"
    assert len(algorithms_figure([replace(curve, error=[])], "val_accuracy").data) == 1


def test_rates_of_our_own_network_are_those_of_each_step() -> None:
    config = {**LENET, "batch_size": 10}
    trial = made([0.1, 0.2], config=config)
    data = rates_data(trial, "mlp", 20, [Plan(1, 3)])
    assert data is not None
    assert data.steps == [0, 0.5, 1, 1.5, 2, 2.5]
    assert set(data.lr) == {0.001}
    assert (data.epochs, data.values) == ([1, 2], [0.1, 0.2])
    assert data.trained == 4


def test_rates_that_are_not_known_are_those_that_were_reported() -> None:
    reported = {"lr": [0.1, 0.01], "val_accuracy": [0.1, 0.2]}
    data = rates_data(made([0.1, 0.2], curves=reported), None, 20, [Plan(1, 3)])
    assert data is not None
    assert (data.steps, data.lr, data.momentum) == ([1, 2], [0.1, 0.01], [])
    assert data.trained == 2
    assert rates_data(made([0.1, 0.2]), None, 20, [Plan(1, 3)]) is None


def test_rates_of_a_config_that_changed_are_those_that_were_reported() -> None:
    config = LENET
    changed = made([0.1], config=config, changes={1: {"lr": 0.5}}, curves={"lr": [0.5]})
    data = rates_data(changed, "mlp", 20, [Plan(1, 3)])
    assert data is not None
    assert data.lr == pytest.approx([0.5])


def test_rates_of_a_trial_that_was_made_longer_are_those_of_each_of_its_plans() -> None:
    config = {**LENET, "policy": "cosine", "batch_size": 10}
    longer = made([0.1, 0.2], config=config)
    data = rates_data(longer, "mlp", 20, [Plan(1, 1), Plan(2, 2)])
    assert data is not None
    assert data.each_step
    assert data.lr == pytest.approx([0.001, 0.0005, 0.0005, 0.001 * (1 - 0.5**0.5) / 2])


def test_momentum_has_the_name_that_the_optimiser_gives_it() -> None:
    for optimizer, name in (("adamw", "betas[0]"), ("sgd", "momentum")):
        config = {**LENET, "optimizer": optimizer}
        data = rates_data(made([0.1, 0.2], config=config), "mlp", 20, [Plan(1, 3)])
        assert data is not None
        assert rates_figure(data, "score", None).layout.yaxis2.title.text == name


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([-2.0, -2.0], (-2.1, -1.9)),
        ([0.5, 0.5 + 1e-12], (0.475, 0.525)),
        ([0.0, 0.0], (-0.05, 0.05)),
        ([1e-10, 3e-10], None),
        ([-1e-10, -3e-10], None),
    ],
)
def test_the_axis_of_what_is_constant(
    values: list[float], bounds: tuple[float, float] | None
) -> None:
    data = Rates([1, 2], [0.1, 0.2], [], [1, 2], values, 2)
    shown = rates_figure(data, "score", None).layout.yaxis2.range
    assert shown == (None if bounds is None else pytest.approx(bounds))
