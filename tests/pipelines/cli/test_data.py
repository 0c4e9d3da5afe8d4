"""What ``data.py`` tells about a data set, and what a search tells in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines import data
from pipelines.cli.command import main
from pipelines.cli.data_lines import column_lines, quantity_lines
from pipelines.results.findings import Findings
from pipelines.results.page.model import Table
from pipelines.results.sections.data import data as data_section
from pipelines.results.wording import share
from pipelines.study.runs import open_run
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load
from trainables.data.reading import AS_IT_LOOKS, Reading

pytestmark = pytest.mark.usefixtures("elsewhere")

N = 300


def write_table(separator: str = ",") -> str:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(5, 1, N).round(2),
            "colour": rng.choice(["red", "blue"], N),
            "plane": rng.choice([f"N{i}" for i in range(60)], N),
            "at": pd.date_range("2020-01-01", periods=N, freq="13h"),
            "id": [f"row {i}" for i in range(N)],
            "zip": rng.integers(1, 5, N),
            "day": rng.permutation(np.arange(N) % 31) + 1,
            "kind": rng.choice(["common", "rare"], N, p=[0.8, 0.2]),
        }
    )
    frame.loc[::10, "size"] = np.nan
    frame.to_csv("mine.csv", index=False, sep=separator)
    return "mine.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_column_is_said(capsys: pytest.CaptureFixture[str], separator: str) -> None:
    options = ["--target", "kind", "--category", "zip", "--drop", "day"]
    assert main(data.app, [write_table(separator), *options]) == 0
    shown = capsys.readouterr().out
    assert "columns   6: 1 number, 3 categories, 1 date, 1 left out (id)" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith("  ")}
    assert list(lines) == ["size", "colour", "plane", "at", "id", "zip"]
    assert "% missing" in lines["size"]
    assert "standardised (the median, " in lines["size"]
    assert lines["size"].endswith(" if missing), whether it is missing")
    assert "2 inputs: one for each of its 2 values" in lines["colour"]
    assert "34 inputs: one for each of its 32 commonest values, one for all" in lines["plane"]
    assert "9 inputs: time, place in the year, place in the month," in lines["at"]
    assert "no input: none of its values occurs twice" in lines["id"]
    assert "4 inputs: one for each of its 4 values" in lines["zip"]
    assert "inputs    51 for each row" in shown
    assert "target    kind: 2 classes: common 80.0%, rare 20.0%" in shown
    assert "run.py --data mine.csv --target kind --drop day --category zip" in shown.replace(
        "-m pipelines.run", "run.py"
    )
    assert [path.name for path in Path().iterdir()] == ["mine.csv"]


def test_whole_numbers_that_are_a_quantity_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    source = write_table()
    assert main(data.app, [source, "--target", "day"]) == 0
    shown = capsys.readouterr().out
    assert "note      day has 31 whole numbers, read as a quantity: --task classif" in shown
    assert main(data.app, [source, "--target", "day", "--task", "classification"]) == 0
    shown = capsys.readouterr().out
    assert "target    day: 31 classes: 1 3" in shown
    assert "note" not in shown


@pytest.mark.parametrize(
    ("values", "told"),
    [([3, 4, 5, 6, 9], True), ([0, 1, 2], False), (["3a", "4a", "5a", "6a", "9a"], False)],
)
def test_whole_numbers_that_are_classes_are_said(values: list[object], told: bool) -> None:
    frame = pd.DataFrame({"x": range(60), "stars": (values * 20)[:60]})
    frame.to_csv("mine.csv", index=False)
    note = (
        "note      stars has 5 whole numbers, read as classes: --task regression reads them as a "
        "quantity"
    )
    loaded = load("mine.csv", target="stars")
    assert list(quantity_lines(loaded, AS_IT_LOOKS)) == ([note] if told else [])
    assert list(quantity_lines(loaded, Reading(task="classification"))) == []


def test_only_whole_numbers_that_repeat_may_be_classes() -> None:
    frame = pd.DataFrame({"x": range(150)})
    frame["price"] = 550_000.25 + frame["x"].mod(30) * 1000
    frame["tiny"] = 1e-9 * frame["x"].mod(30)
    frame["number"] = frame["x"] * 7
    frame["zip"] = 10_000 + frame["x"].mod(30) * 3001
    frame.to_csv("mine.csv", index=False)

    def noted(target: str) -> list[str]:
        return list(quantity_lines(load("mine.csv", target=target), AS_IT_LOOKS))

    assert noted("price") == noted("tiny") == noted("number") == []
    assert "zip has 29 whole numbers" in noted("zip")[0]


def test_what_may_not_be_meant_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{'?' if i % 9 else i},${i}.50,{'yes ' if i % 2 else 'yes'}" for i in range(59)]
    Path("odd.csv").write_text("\n".join(["x,price,y", *rows, "1,2,"]))
    assert main(data.app, ["odd.csv", "--target", "y"]) == 0
    shown = capsys.readouterr().out
    assert "note      1 of 60 rows have no y: left out\n" in shown
    assert "note      x: '?' among numbers counts as missing\n" in shown
    assert "note      price: read as text: '$0.50' is not a number such as -1234.5\n" in shown
    assert "target    y: 2 classes: yes 50.0%, 'yes ' 50.0%" in shown


def test_a_column_without_a_name_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv(write_table()).to_csv("index.csv")
    assert main(data.app, ["index.csv", "--target", "kind"]) == 0
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith("  '' ")]
    assert line.split()[1] == "number"
    assert "note      '': rises by 1 from row to row: --drop '' if it only counts the rows" in shown
    fitted = load("index.csv", target="kind").preprocessing
    assert fitted is not None
    folder = write_run(Path("run"), preprocessing=[fitted.to_dict()])
    section = data_section(Findings(open_run(folder)))
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert table.rows[0][0] == "''"


@pytest.mark.parametrize("source", ["digits", "wine", "diabetes"])
def test_other_data_are_said_too(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(data.app, [source]) == 0
    shown = capsys.readouterr().out
    assert f"data      {source}: " in shown
    assert "target    " in shown
    assert "columns" not in shown
    assert ("--model cnn" in shown.splitlines()[-1]) == (source == "digits")


def test_a_search_says_it_in_a_line() -> None:
    loaded = load(write_table(), target="kind")
    assert list(column_lines(loaded)) == [
        "columns   7: 3 numbers, 2 categories, 1 date, 1 left out (id)"
    ]
    assert list(column_lines(load("wine"))) == []
    quantity = load(write_table(), target="day")
    assert len(list(quantity_lines(quantity, AS_IT_LOOKS))) == 1
    assert list(quantity_lines(quantity, Reading(task="regression"))) == []
    assert list(quantity_lines(load("mine.csv", target="size"), AS_IT_LOOKS)) == []


def test_few_missing_values_are_not_none() -> None:
    assert [share(part) for part in (0.0, 0.0001, 0.001, 0.25)] == [
        "0.0%",
        "<0.1%",
        "0.1%",
        "25.0%",
    ]


def test_the_report_has_the_whole_reading() -> None:
    loaded = load(write_table(), target="kind")
    assert loaded.preprocessing is not None
    folder = write_run(Path("run"), preprocessing=[loaded.preprocessing.to_dict()])
    section = data_section(Findings(open_run(folder)))
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == [c for c in pd.read_csv("mine.csv") if c != "kind"]
    assert data_section(Findings(open_run(write_run(Path("old"))))) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.csv", "--target", "y"], "does not exist"),
        (["mine.csv"], "needs a target"),
        (["mine.csv", "--target", "nope"], "has no column 'nope'"),
        (["wine", "--category", "x"], "--category"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table()
    assert main(data.app, arguments) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert message in shown
