"""Axes that outliers do not stretch, names without markup, and thinning out of points."""

from __future__ import annotations

import math

import pytest

from pipelines.results.figures.axes import (
    clamp,
    compact,
    figure,
    in_order,
    line_style,
    log_axis,
    position,
    round_ticks,
    score_range,
    thin,
    whole,
)
from pipelines.results.figures.labels import label, labels
from search_spaces import Choice, Float, Int, Value


def test_the_bad_side_ends_at_tukeys_fence_and_the_good_side_at_the_best() -> None:
    """The quartiles are 2 and 4, so the fences are 3 away from them. The padding is a twentieth."""
    low, high = score_range([-1000.0, 2.0, 3.0, 4.0, 5.0], "max")
    assert (low, high) == pytest.approx((-1 - 0.3, 5 + 0.3))
    low, high = score_range([1000.0, 2.0, 3.0, 4.0, 1.0], "min")
    assert (low, high) == pytest.approx((1 - 0.3, 7 + 0.3))


def test_where_most_values_are_equal_the_others_are_no_outliers() -> None:
    """The quartiles are equal, and a fence at them would leave out every other value."""
    low, high = score_range([0.95] * 8 + [0.5, 0.7], "max")
    assert (low, high) == pytest.approx((0.5 - 0.0225, 0.95 + 0.0225))
    low, high = score_range([0.1] * 8 + [0.5, 0.7], "min")
    assert (low, high) == pytest.approx((0.1 - 0.03, 0.7 + 0.03))


def test_a_range_is_never_empty() -> None:
    for values in ([], [math.nan], [0.0], [0.7, 0.7], [-3.0]):
        low, high = score_range(values, "max")
        assert low < high


def test_what_must_lie_inside_does_even_beyond_the_fence() -> None:
    low, high = score_range([-1000.0, 2.0, 3.0, 4.0, 5.0], "max", inside=[-9.0])
    assert (low, high) == pytest.approx((-9 - 0.7, 5 + 0.7))


def test_an_axis_keeps_what_it_shares_with_the_others_beside_its_own() -> None:
    drawn = figure("x", "y", yaxis={"range": (0, 1)})
    assert drawn.layout.yaxis.title.text == "y"
    assert {drawn.layout.xaxis.exponentformat, drawn.layout.yaxis.exponentformat} == {"power"}
    assert drawn.layout.showlegend, "Plotly hides the legend of one trace"


def test_whole_numbers_have_no_halves_between_them() -> None:
    assert whole(1, 5) == {"dtick": 1}
    assert whole(0, 300) == {}


def test_lines_differ_in_more_than_their_colour() -> None:
    styles = [line_style(place) for place in range(30)]
    assert len({tuple(style.values()) for style in styles}) == 30
    assert len({style["dash"] for style in styles[:5]}) == 5


def test_what_lies_beyond_is_on_the_edge() -> None:
    assert clamp([-5.0, 0.5, 5.0], (0.0, 1.0)) == [0.0, 0.5, 1.0]


def test_thinning_keeps_both_ends() -> None:
    assert thin(range(5), 5) == [0, 1, 2, 3, 4]
    assert thin(range(101), 3) == [0, 50, 100]
    assert thin([], 3) == []


@pytest.mark.parametrize("size", [1e-300, -1e39, 1e308])
def test_what_single_precision_cannot_hold_keeps_its_value(size: float) -> None:
    kept = compact([0.5, size, None, 0.0])
    assert kept[1] == size
    assert math.isnan(kept[2])
    small = compact([0.5, 3e38, None, 0.0, math.inf])
    assert (kept.itemsize, small.itemsize) == (8, 4)


def test_a_position_is_in_the_scale_of_the_domain() -> None:
    assert position(Float(0.01, 1.0, log=True), 0.1) == pytest.approx(0.5)
    assert position(Int(1, 5), 2) == 0.25
    assert position(Choice(("a", "b", "c")), "c") == 1.0
    assert position(Float(2.0, 2.0), 2.0) == 0.5


def test_a_name_is_no_markup() -> None:
    assert label("<b>x</b>&") == "&lt;b&gt;x&lt;/b&gt;&amp;"
    assert label(0.123456) == "0.1235"
    assert len(label("x" * 100)) == 40


def test_what_is_long_is_cut_in_its_middle_and_stays_what_it_is() -> None:
    shown = labels([f"a_long_name_of_number_{n}" for n in range(3)], 9)
    assert shown == ["a_lo…er_0", "a_lo…er_1", "a_lo…er_2"]
    alike = labels(["a_long_1_name", "a_long_2_name", "b"], 9)
    assert alike == ["1: a_lo…name", "2: a_lo…name", "b"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((16, 8, 64), [8, 16, 64]),
        ((1e-4, 0.0), [0.0, 1e-4]),
        (("relu", "gelu"), ["relu", "gelu"]),
        ((True, False), [True, False]),
    ],
)
def test_numbers_are_in_order_whichever_is_tried_first(
    options: tuple[Value, ...], shown: list[Value]
) -> None:
    domain = Choice(options)
    assert in_order(domain) == shown
    assert [position(domain, option) for option in (shown[0], shown[-1])] == [0, 1]


@pytest.mark.parametrize(
    ("least", "most", "ticks"),
    [
        (8, 512, [10, 20, 50, 100, 200, 500]),
        (100, 300, [100, 150, 200, 300]),
        (64, 96, [60, 70, 80, 90, 100]),
        (0.02, 0.5, [0.02, 0.05, 0.1, 0.2, 0.5]),
        (1, 1, [1]),
        (12, 12, [12]),
        (128, 128, [128]),
    ],
)
def test_a_logarithmic_axis_is_marked_at_round_numbers(
    least: float, most: float, ticks: list[float]
) -> None:
    assert round_ticks(least, most)["tickvals"] == pytest.approx(ticks)


def test_a_long_logarithmic_axis_is_marked_at_powers_of_ten() -> None:
    assert log_axis(1e-5, 1) == {"type": "log", "dtick": 1}
    assert log_axis(0.02, 0.5)["ticktext"][0] == "0.02"
    assert 1.5 in log_axis(1, 4)["tickvals"]
    assert log_axis(1, 4, integers=True)["tickvals"] == [1, 2, 3, 4]
