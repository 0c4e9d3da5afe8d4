"""Figures of rungs, of why a trial was stopped, and of the timeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.record.trials import REQUIREMENT, State
from pipelines.results.compared import compared_at
from pipelines.results.fates import Fate
from pipelines.results.figures.rungs import rungs_data, rungs_figure
from pipelines.results.figures.timeline import timeline_data, timeline_figure
from pipelines.results.stops import stops_data
from tests.pipelines.results.made import CUT_SHORT, DIVERGED, FAILED, STOPPED, made
from trainables.training.metrics import METRICS

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]


def test_how_many_reached_each_rung() -> None:
    trials = [
        made([0.1, 0.2, 0.3]),
        made([0.1], STOPPED),
        made([0.1, 0.2], CUT_SHORT),
        made([0.1, 0.2], STOPPED),
        made([0.1], DIVERGED),
        made([0.1, 0.2, 0.3], FAILED),
    ]
    data = rungs_data(trials, (1, 2, 3))
    assert data.reached == [4, 3, 1]
    assert data.stopped == [1, 1, 0]
    on, ended = rungs_figure(data).data
    assert list(on.y) == [3, 2, 1]
    assert list(ended.y) == [1, 1, 0]


def test_a_stopped_trial_counts_at_its_rung_though_it_breaks_a_requirement() -> None:
    slow = [made([0.1, 0.2], STOPPED, broken="seconds<9"), made([0.1] * 3, broken="seconds<9")]
    data = rungs_data([*slow, made([0.3] * 3)], (1, 2, 3))
    assert (data.reached, data.stopped) == ([3, 3, 2], [0, 1, 0])


def test_whether_the_order_was_kept() -> None:
    kept = [made([n / 10, n / 10 + 0.3]) for n in range(5)]
    turned = [made([n / 10, 0.9 - n / 10]) for n in range(5)]
    (agreement,) = rungs_data(kept, (1, 2)).agreements
    assert (agreement.rung, agreement.next, agreement.n) == (1, 2, 5)
    assert agreement.rank_correlation == pytest.approx(1)
    assert rungs_data(turned, (1, 2)).agreements[0].rank_correlation == pytest.approx(-1)
    assert rungs_data(kept[:4], (1, 2)).agreements[0].rank_correlation is None
    assert rungs_data([made([0.5, 0.5])] * 9, (1, 2)).agreements[0].rank_correlation is None


def test_at_ends_of_cycles_only_is_a_trial_compared() -> None:
    """A cycle of 4 epochs ends beyond the rung at epoch 3, and skips the rung at epoch 1."""
    cycle = {"policy": "triangular", "step_size": 2}
    slow = made([0.1] * 9, config=cycle)
    assert compared_at(slow, (1, 3, 9), at_cycle_ends=True) == {3: 4, 9: 9}
    assert compared_at(slow, (1, 3, 9)) == {1: 1, 3: 3, 9: 9}
    quick = made([0.1] * 9, config={**cycle, "step_size": 1})
    assert compared_at(quick, (1, 3, 9), at_cycle_ends=True) == {1: 2, 3: 4, 9: 9}
    constant = made([0.1] * 3, config={**cycle, "policy": "constant"})
    assert compared_at(constant, (1, 3, 9), at_cycle_ends=True) == {1: 1, 3: 3}


def test_a_stop_at_the_end_of_a_cycle_counts_for_the_rung_before() -> None:
    cycle = {"policy": "triangular", "step_size": 1}
    stopped = [made([0.1] * n, STOPPED, cycle) for n in (2, 4, 8)]
    data = rungs_data([*stopped, made([0.2] * 9, config=cycle)], (1, 3, 9), at_cycle_ends=True)
    assert (data.reached, data.stopped) == ([4, 3, 1], [1, 2, 0])


def test_the_order_is_that_at_the_ends_of_cycles() -> None:
    """Within a cycle the order is turned around."""
    cycle = {"policy": "triangular", "step_size": 1}
    trials = [made([-n, n, -n, n, n, n, -n, n, n], config=cycle) for n in range(5)]
    first, last = rungs_data(trials, (1, 3, 9), at_cycle_ends=True).agreements
    assert first.rank_correlation == last.rank_correlation == pytest.approx(1)


def test_the_cut_is_that_of_the_ends_of_cycles() -> None:
    """At the ends of the cycles are the scores 0.1, 0.4 and 0.7; in mid-cycle all are high."""
    cycle = {"policy": "triangular", "step_size": 1}
    timed: dict[str, Any] = {"started": 0.0, "seconds": 3.0, "config": cycle}
    before = [made([0.9, v, 0.9], **timed) for v in (0.1, 0.4, 0.7)]
    stopped = made([0.9, 0.45], STOPPED, cycle, started=0.0, seconds=10.0)
    stops = stops_data([*before, stopped], ACCURACY, (1, 3), 3, at_cycle_ends=True)
    assert stops[3].cut == pytest.approx(0.5)


def test_a_trial_is_stopped_below_the_cut_of_those_before_it() -> None:
    """Epoch 1 has the scores 0.1, 0.4 and 0.7, and their quantile at 2/3 is 0.5."""
    before = [made([v, 0.8], started=0.0, seconds=2.0) for v in (0.1, 0.4, 0.7)]
    stopped = made([0.45], STOPPED, started=0.0, seconds=10.0)
    after = made([0.9, 0.9], started=20.0, seconds=2.0)
    stops = stops_data([*before, stopped, after], ACCURACY, (1, 2), 3)
    assert list(stops) == [3]
    assert (stops[3].epoch, stops[3].value) == (1, 0.45)
    assert stops[3].cut == pytest.approx(0.5)
    assert str(stops[3]) == "at epoch 1: 0.4500, the cut was about 0.5000"


def test_for_a_loss_the_cut_lies_above() -> None:
    before = [made([v, 0.8], started=0.0, seconds=2.0, mode="min") for v in (1.0, 4.0, 7.0)]
    stopped = made([5.0], STOPPED, started=0.0, seconds=10.0, mode="min")
    assert stops_data([*before, stopped], LOSS, (1, 2), 3)[3].cut == pytest.approx(3.0)


def test_a_cut_that_cannot_be_right_is_not_told() -> None:
    before = made([0.1, 0.2], started=0.0, seconds=2.0)
    stopped = made([0.45], STOPPED, started=0.0, seconds=10.0)
    stops = stops_data([before, stopped], ACCURACY, (1, 2), 3)
    assert str(stops[1]) == "at epoch 1: 0.4500"
    assert stops_data([stopped], ACCURACY, (), 3)[0].cut is None


def test_each_trial_has_the_first_free_place_of_its_node() -> None:
    trials = [
        made([0.1], started=1000.0, seconds=60.0, node="a"),
        made([0.1], STOPPED, started=1000.0, seconds=120.0, node="b"),
        made([0.1], started=1030.0, seconds=90.0, node="a"),
        made([0.1], DIVERGED, started=1060.0, seconds=60.0, node="a"),
    ]
    data = timeline_data(trials)
    assert data.places == ["a", "a", "b"]
    assert {bar.number: bar.place for bar in data.bars} == {0: 0, 1: 2, 2: 1, 3: 0}
    assert data.bars[-1] == (3, Fate.DIVERGED, 0, 1.0, 2.0)
    assert data.minutes == 2.0
    assert data.busy == pytest.approx((1 + 2 + 1.5 + 1) / 6)
    drawn = timeline_figure(data).data
    assert len(drawn) == 3
    assert {bars.width for bars in drawn} == {0.85}, "no bar covers those of other places"


def test_a_trial_in_its_first_epoch_invents_no_place() -> None:
    """The node of a trial is not known before its first epoch has ended."""
    ended = [
        made([0.1], started=1000.0, seconds=60.0, node="a"),
        made([0.1], started=1000.0, seconds=120.0, node="a"),
    ]
    new = replace(made([]), state=State.RUNNING, started=1060.0, seconds=60.0)
    data = timeline_data([*ended, new])
    assert data.places == ["a", "a"]
    assert (data.bars[-1].number, data.bars[-1].place) == (2, 0)
    assert data.busy == 1
    full = timeline_data([*ended, new, new])
    assert (full.places, len(full.bars), full.busy) == (["a", "a"], 3, 1)
    assert timeline_data([new, new]).places == ["not known", "not known"]


@pytest.mark.parametrize(
    ("seconds", "unit", "end"), [(5.0, "seconds", 5), (300.0, "minutes", 5), (18000.0, "hours", 5)]
)
def test_a_timeline_is_in_the_unit_of_its_length(seconds: float, unit: str, end: float) -> None:
    data = timeline_data([made([0.1], started=1000.0, seconds=seconds, node="a")])
    figure = timeline_figure(data)
    assert figure.layout.xaxis.title.text == unit
    assert list(figure.data[0].x) == pytest.approx([end])


def test_the_edges_of_very_many_bars_cover_no_bar() -> None:
    for n, width in ((30, 0.5), (3000, 0.0)):
        trials = [made([0.1], started=1000.0 + k, seconds=1.0, node="a") for k in range(n)]
        (bars,) = timeline_figure(timeline_data(trials)).data
        assert bars.marker.line.width == width


def test_what_was_not_trained_had_no_place() -> None:
    trials = [
        made([0.1], started=1000.0, seconds=60.0, node="a"),
        replace(made([0.1], started=1010.0), curve={}, stopped_by=REQUIREMENT, node=""),
    ]
    assert timeline_data(trials).places == ["a"]


def test_the_timeline_of_nothing_is_empty() -> None:
    assert timeline_data([]) == ([], [], 0.0, 0.0, [])
