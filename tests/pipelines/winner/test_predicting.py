"""Predictions for files that look otherwise than the one that a model was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines import load_model, predict
from pipelines.cli.command import main
from pipelines.winner.exported import ABOUT, MODEL, PREPROCESSING
from trainables.data import table_streams
from trainables.data.datasets import load
from trainables.data.reading import AS_IT_LOOKS, Reading

pytestmark = pytest.mark.usefixtures("elsewhere")

N = 60


def write_model(
    frame: pd.DataFrame, reading: Reading = AS_IT_LOOKS, separator: str = ",", decimal: str = "."
) -> None:
    """Into ``model``: a network that was trained, or not, to tell ``y`` from the other columns."""
    frame = frame.assign(y=["no", "yes"] * (len(frame) // 2))
    frame.to_csv("train.csv", index=False, sep=separator, decimal=decimal)
    data = load("train.csv", target="y", reading=reading)
    assert data.preprocessing is not None
    torch.manual_seed(0)
    network = torch.nn.Linear(data.input_shape[0], data.n_classes)
    example = torch.zeros(2, *data.input_shape)
    program = torch.export.export(
        network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
    )
    Path("model").mkdir()
    torch.export.save(program, Path("model", MODEL))
    Path("model", ABOUT).write_text(json.dumps({"format": 1}))
    Path("model", PREPROCESSING).write_text(json.dumps(data.preprocessing.to_dict()))


def predicted(file: str) -> list[float]:
    """What the command says of each row: how likely it is that ``y`` is no."""
    assert main(predict.app, ["model", file, "--output", "out.csv"]) == 0
    found = pd.read_csv("out.csv")
    Path("out.csv").unlink()
    assert list(found) == ["prediction", "p_no", "p_yes"]
    return [float(p) for p in found["p_no"]]


def of_rows(**columns: object) -> object:
    """The same of rows in the types of the training file; equal to what is nearly it."""
    found = load_model("model").predict(pd.DataFrame(columns))["p_no"]
    return pytest.approx(found.tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("trained", "new", "wanted"),
    [
        (["true", "false", "unknown"], ["true", "false"], ["true", "false"]),
        (["true", "false", "true"], ["true", "unknown", "FALSE"], [True, "unknown", False]),
        (["01", "02", "A1"], ["01", "02"], ["01", "02"]),
        (["2020/01/02", "none yet", "soon"], ["2020/01/02"], ["2020/01/02"]),
    ],
)
def test_values_of_a_category_are_known_in_a_file_that_has_some_of_them(
    trained: list[str], new: list[str], wanted: list[object]
) -> None:
    write_model(pd.DataFrame({"a": trained * (N // 3)}))
    pd.DataFrame({"a": new}).to_csv("new.csv", index=False)
    expected = of_rows(a=pd.Series(wanted, dtype=object))
    found = predicted("new.csv")
    assert len(set(found)) == len(new)
    assert found == expected
    assert list(load_model("model").predict("new.csv")["p_no"]) == expected


def test_numbers_that_are_names_keep_all_their_digits() -> None:
    names = [2**60 + 1, 2**60 + 2, 2**60 + 3]
    write_model(pd.DataFrame({"id": names * (N // 3)}), Reading(category=("id",)))
    pd.DataFrame({"id": names}).to_csv("new.csv", index=False)
    found = predicted("new.csv")
    assert len(set(found)) == len(names)
    assert found == of_rows(id=names)


def test_two_columns_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    write_model(pd.DataFrame({"size": np.arange(N) / 7}))
    Path("new.csv").write_text("size,size\n1,2\n")
    assert main(predict.app, ["model", "new.csv"]) == 2
    assert "more than one column 'size'" in capsys.readouterr().err


def test_of_a_large_file_only_the_columns_of_the_model_matter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table_streams, "_BLOCK", 2000)
    frame = pd.DataFrame({"size": np.arange(N) / 7, "left out": 1})
    write_model(frame)
    rows = 1000
    lines = ["note,left out,size,last", *["1,2,1,"] * rows]
    Path("new.csv").write_text("\n".join([*lines, "a text,b,2.5,c"]))
    assert predicted("new.csv") == of_rows(size=[1.0] * rows + [2.5])
    assert "ignored   'note', 'last'" in capsys.readouterr().err
    Path("new.csv").write_text("\n".join([*lines, "1,2,large,"]))
    assert main(predict.app, ["model", "new.csv"]) == 2
    assert "'large' in column 'size'" in capsys.readouterr().err


@pytest.mark.parametrize("first", ["", "2020-01-02", "2020-01-02 05:00"])
@pytest.mark.parametrize("last", ["2020-01-20", "2020-01-20 07:30", "2020-01-20 07:30:59.25"])
def test_dates_may_be_more_exact_further_down(
    monkeypatch: pytest.MonkeyPatch, first: str, last: str
) -> None:
    monkeypatch.setattr(table_streams, "_BLOCK", 2000)
    write_model(pd.DataFrame({"at": pd.date_range("2020-01-01", periods=N, freq="13h")}))
    dates = [*[first] * 1000, last]
    pd.DataFrame({"at": dates, "n": 1}).to_csv("new.csv", index=False)
    moments = pd.to_datetime(pd.Series(dates), format="ISO8601")
    assert predicted("new.csv") == of_rows(at=moments)


def test_texts_of_a_file_that_arrow_reads_as_views() -> None:
    write_model(pd.DataFrame({"colour": ["red", "blue", "red", None] * (N // 4)}))
    colours = ["red", None, "blue", "violet"]
    pq.write_table(pa.table({"colour": pa.array(colours, pa.string_view())}), "new.parquet")
    expected = of_rows(colour=colours)
    assert predicted("new.parquet") == expected
    assert list(load_model("model").predict("new.parquet")["p_no"]) == expected


def test_a_file_without_rows_gives_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {
            "size": np.arange(N) / 7,
            "whole": np.arange(N) % 4,
            "colour": ["red", "blue"] * (N // 2),
            "at": pd.date_range("2020-01-01", periods=N, freq="13h"),
        }
    )
    write_model(frame, Reading(category=("whole",)))
    frame.iloc[:0].to_csv("none.csv", index=False)
    frame.iloc[:0].to_parquet("none.parquet")
    for file in ("none.csv", "none.parquet"):
        assert predicted(file) == []
        assert "predicted 0 samples" in capsys.readouterr().err
        assert len(load_model("model").predict(file)) == 0


@pytest.mark.parametrize(
    ("trained", "new", "wanted"),
    [
        (["1", "2.5", "?"], ["2", "?", " 1"], [2.0, None, 1.0]),
        (["1", "2.5", "?"], ["2", "1"], [2.0, 1.0]),
        (["1,5", "2,25", "7"], ["1,500", "2"], [1.5, 2.0]),
        (["1,5", "2,25", "7"], ["1.5", "-"], [1.5, None]),
        (["0,125", "2,25", "2000"], ["0.125", "1234.125", "1.1250"], [0.125, 1234.125, 1.125]),
        (["1", "2", "3"], ["2", "1"], [2.0, 1.0]),
    ],
)
def test_numbers_that_were_texts_are_read_as_in_training(
    trained: list[str], new: list[str], wanted: list[float | None]
) -> None:
    """Whatever Arrow would take the new file's column for."""
    write_model(pd.DataFrame({"x": trained * (N // 3)}))
    pd.DataFrame({"x": new}).to_csv("new.csv", index=False)
    expected = of_rows(x=pd.Series(wanted, dtype=float))
    assert predicted("new.csv") == expected
    assert load_model("model").predict("new.csv")["p_no"].tolist() == expected
    assert load_model("model").predict(pd.DataFrame({"x": new}))["p_no"].tolist() == expected


@pytest.mark.parametrize("other", ["1.2", "1,2"])
def test_the_marks_of_another_column_change_nothing(other: str) -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7}), separator=";", decimal=",")
    Path("new.csv").write_text(f"x;other\n1,5;{other}\n2;{other}\n")
    expected = of_rows(x=[1.5, 2.0])
    assert predicted("new.csv") == expected
    assert load_model("model").predict("new.csv")["p_no"].tolist() == expected


@pytest.mark.parametrize("value", ["1.010", "-12.500", "1.234.567"])
def test_a_point_that_may_be_a_thousand_mark_is_refused(
    capsys: pytest.CaptureFixture[str], value: str
) -> None:
    frame = pd.DataFrame({"x": np.arange(N) / 7, "k": np.arange(N) + 1000})
    write_model(frame, separator=";", decimal=",")
    Path("new.csv").write_text(f"x;k\n1,5;1010\n1,5;{value}\n")
    assert main(predict.app, ["model", "new.csv"]) == 2
    message = f"column 'k' has '{value}', "
    assert message in capsys.readouterr().err
    with pytest.raises(ValueError, match=message):
        load_model("model").predict("new.csv")


def test_a_text_among_numbers_that_were_texts_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_model(pd.DataFrame({"x": ["1", "2.5", "?"] * (N // 3)}))
    Path("new.csv").write_text("x\n1\nlarge\n")
    assert main(predict.app, ["model", "new.csv"]) == 2
    assert "'large', which is no number" in capsys.readouterr().err


def test_a_mark_that_training_took_for_a_category_stays_one() -> None:
    write_model(pd.DataFrame({"x": ["a", "1", "?"] * (N // 3)}))
    pd.DataFrame({"x": ["1", "?"]}).to_csv("new.csv", index=False)
    found = predicted("new.csv")
    assert found[0] != found[1]
    assert found == of_rows(x=["1", "?"])
