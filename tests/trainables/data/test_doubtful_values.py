"""Values that were probably meant as something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from trainables.data.datasets import load
from trainables.data.doubtful_values import told_of_placeholders
from trainables.data.reading import AS_IT_LOOKS, Reading

N = 60


def notes(
    folder: Path, x: list[str], reading: Reading = AS_IT_LOOKS, classes: str = "ab"
) -> tuple[str, ...]:
    """The notes about a file with a column that repeats the values ``x``."""
    rows = [f'"{x[i % len(x)]}",{classes[i % 13 % len(classes)]}' for i in range(N)]
    (folder / "t.csv").write_text("\n".join(["x,y", *rows, ""]))
    return load(str(folder / "t.csv"), target="y", reading=reading).notes


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["1.5", "30", "", "999"], "999"),
        (["-5", "-9999", "12.5"], "-9999"),
        (["0", "-99", "168"], "-99"),
        (["0", "999", "888"], None),  # near the others
        (["-5", "-99", "-60"], None),
        (["18", "19", "99"], None),  # may be an age
        (["1", "2", "99999.5"], None),
    ],
)
def test_numbers_that_may_mean_missing_are_said(
    tmp_path: Path, values: list[str], odd: str | None
) -> None:
    told = (
        f"x: numbers such as {odd}, far from all others: leave them blank if they stand for "
        "missing values"
    )
    assert notes(tmp_path, values) == ((told,) if odd else ())
    assert notes(tmp_path, values, Reading(category=("x",))) == ()


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["2020-01-31", "2021-05-01", "9999-12-31"], "9999-12-31"),
        (["2020-01-31 05:30", "1900-01-01", "", "2020-03-01"], "1900-01-01"),
        (["2020-01-31", "2021-05-01", "2022-12-31"], None),
        (["1970-01-01", "2020-01-31", "1980-05-01"], None),  # near the others
    ],
)
def test_dates_that_may_mean_missing_are_said(
    tmp_path: Path, values: list[str], odd: str | None
) -> None:
    told = (
        f"x: dates such as {odd}, far from all others: leave them blank if they stand for "
        "missing values"
    )
    assert notes(tmp_path, values) == ((told,) if odd else ())


def test_numbers_of_16_bits_may_mean_missing_too() -> None:
    table = pa.table({"x": np.array([1, 2, 999], np.float16)})
    assert len(list(told_of_placeholders(table))) == 1


@pytest.mark.parametrize(
    ("values", "alike"),
    [
        (["yes", "no", "yes ", "Yes"], "'yes' and 'yes '"),
        (["a b", "A  B", "c"], "'a b' and 'A  B'"),
        (["a b", "ab", "c"], None),
        (["1", "2", "2 "], None),  # numbers
    ],
)
def test_texts_that_differ_only_in_case_or_blanks_are_said(
    tmp_path: Path, values: list[str], alike: str | None
) -> None:
    told = (
        f"x: texts such as {alike} differ only in case or blanks: write them alike if they are the "
        "same"
    )
    assert notes(tmp_path, values) == ((told,) if alike else ())
    assert notes(tmp_path, values, Reading(category=("x",))) == ()


def test_classes_that_differ_only_in_case_and_marks_among_classes_are_said(tmp_path: Path) -> None:
    assert notes(tmp_path, ["u", "v"], classes="abA?") == (
        "y: '?' is a class: leave it blank if it stands for a missing value",
        "y: texts such as 'a' and 'A' differ only in case or blanks: write them alike if they are "
        "the same",
    )
