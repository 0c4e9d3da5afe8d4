"""Axes that nothing stretches, names that are no markup, and thinning out."""

from __future__ import annotations

import math

import pytest

from pipelines.results.figures.axes import clamp, in_order, label, position, score_range, thin
from search_spaces import Choice, Float, Int, Value


def test_the_bad_side_ends_at_tukeys_fence_and_the_good_side_at_the_best() -> None:
    """Quartiles 2 and 4: the fence is 3 away from them. The padding is a twentieth."""
    low, high = score_range([-1000.0, 2.0, 3.0, 4.0, 5.0], "max")
    assert (low, high) == pytest.approx((-1 - 0.3, 5 + 0.3))
    low, high = score_range([1000.0, 2.0, 3.0, 4.0, 1.0], "min")
    assert (low, high) == pytest.approx((1 - 0.3, 7 + 0.3))


def test_a_range_is_never_empty() -> None:
    for values in ([], [math.nan], [0.0], [0.7, 0.7], [-3.0]):
        low, high = score_range(values, "max")
        assert low < high


def test_what_lies_beyond_is_on_the_edge() -> None:
    assert clamp([-5.0, 0.5, 5.0], (0.0, 1.0)) == [0.0, 0.5, 1.0]


def test_thinning_keeps_both_ends() -> None:
    assert thin(range(5), 5) == [0, 1, 2, 3, 4]
    assert thin(range(101), 3) == [0, 50, 100]
    assert thin([], 3) == []


def test_a_position_is_in_the_scale_of_the_domain() -> None:
    assert position(Float(0.01, 1.0, log=True), 0.1) == pytest.approx(0.5)
    assert position(Int(1, 5), 2) == 0.25
    assert position(Choice(("a", "b", "c")), "c") == 1.0
    assert position(Float(2.0, 2.0), 2.0) == 0.5


def test_a_name_is_no_markup() -> None:
    assert label("<b>x</b>&") == "&lt;b&gt;x&lt;/b&gt;&amp;"
    assert label(0.123456) == "0.1235"
    assert len(label("x" * 100)) == 40


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
