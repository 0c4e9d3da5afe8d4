"""Scores of any size are printed so that they can be told apart."""

from __future__ import annotations

import math

import pytest

from pipelines.record.scores import shown_score


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.96944, "0.9694"),
        (0.0, "0.0000"),
        (0.00312, "0.0031"),
        (1.2345e-6, "1.234e-06"),
        (-0.000123, "-0.000123"),
        (9.99996, "10.000"),
        (123.4567, "123.46"),
        (12345.678, "12346"),
        (333435923.2441, "3.334e+08"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (None, "none"),
    ],
)
def test_a_score_shows_four_decimals_or_four_digits(value: float | None, words: str) -> None:
    assert shown_score(value) == words


def test_a_deviation_is_shown_like_its_mean() -> None:
    assert shown_score(0.00012, like=0.9) == "0.0001"
    assert shown_score(1.2e-8, like=3e-7) == "1.2e-08"
    assert shown_score(0.1234, like=123.4) == "0.12"
