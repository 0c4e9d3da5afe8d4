"""Columns that alone tell the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainables.data.datasets import load
from trainables.data.leakage import _ROWS
from trainables.data.reading import Reading

N = 120
rng = np.random.default_rng(0)
CLASSES = np.arange(N) % 3
QUANTITY = rng.gamma(2, size=N)


def notes(
    folder: Path, y: np.ndarray, columns: dict[str, object], drop: tuple[str, ...] = ()
) -> list[str]:
    """The notes about a table with a column ``noise``, ``columns`` and the target ``y``."""
    frame = pd.DataFrame({"noise": rng.normal(size=len(y)), **columns, "y": y})
    frame.to_csv(folder / "t.csv", index=False)
    return list(load(str(folder / "t.csv"), target="y", reading=Reading(drop=drop)).notes)


@pytest.mark.parametrize(
    "column",
    [
        np.array(["a", "b", "c"])[CLASSES],
        np.array([9, 2, 5])[CLASSES],  # another order
        CLASSES * 10 + rng.random(N),  # ranges of numbers
        np.where(CLASSES == 1, np.nan, CLASSES),  # missing for one class
        [f"person {place % 12}" for place in range(N)],  # who always has the same class
    ],
    ids=["texts", "codes", "ranges", "missing", "groups"],
)
def test_a_column_that_tells_the_class_is_said(tmp_path: Path, column: object) -> None:
    told = ["'the sum': alone tells y: --drop 'the sum' if it is only known afterwards"]
    assert notes(tmp_path, CLASSES, {"the sum": column}) == told
    assert notes(tmp_path, CLASSES, {"the sum": column}, ("the sum",)) == []


@pytest.mark.parametrize("column", [np.log(QUANTITY), 3 - 2 * QUANTITY.round(3)])
def test_a_column_that_rises_or_falls_with_a_quantity_is_said(
    tmp_path: Path, column: np.ndarray
) -> None:
    told = ["x: alone tells y: --drop x if it is only known afterwards"]
    assert notes(tmp_path, QUANTITY, {"x": column}) == told


def test_texts_within_which_a_quantity_hardly_varies_are_said(tmp_path: Path) -> None:
    grade = np.arange(N) % 7
    y = grade + rng.random(N) / 10
    told = ["x: alone tells y: --drop x if it is only known afterwards"]
    assert notes(tmp_path, y, {"x": [f"grade {g}" for g in grade]}) == told
    assert notes(tmp_path, y, {"x": [f"grade {g // 2}" for g in grade]}) == []
    assert notes(tmp_path, y, {"x": [f"name {place // 2}" for place in range(N)]}) == []


def test_several_columns_are_said_in_a_line(tmp_path: Path) -> None:
    told = ["a, b: each alone tells y: --drop those that are only known afterwards"]
    assert notes(tmp_path, CLASSES, {"a": CLASSES, "b": -CLASSES}) == told


@pytest.mark.parametrize(
    "column",
    [
        CLASSES == 1,  # but not the other two
        np.where(np.arange(N) < N // 20, 1, CLASSES),  # right for most rows
        [f"name {place}" for place in range(N)],  # no value occurs twice
        rng.permutation(N) + 0.5,
    ],
    ids=["a class", "most rows", "names", "numbers"],
)
def test_a_column_that_tells_less_is_not(tmp_path: Path, column: object) -> None:
    assert notes(tmp_path, CLASSES, {"x": column}) == []
    assert notes(tmp_path, QUANTITY, {"x": column}) == []


def test_a_rare_class_is_not_told_by_chance(tmp_path: Path) -> None:
    n = 3 * _ROWS  # so that a sample is looked at
    rare = np.arange(n) < 30
    assert notes(tmp_path, rare, {"x": rng.integers(0, 9, n)}) == []
    assert len(notes(tmp_path, rare, {"x": rare + rng.random(n)})) == 1
