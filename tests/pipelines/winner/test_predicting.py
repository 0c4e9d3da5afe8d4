"""Predictions for files that look different from the file that a model was trained on."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines import load_model, predict
from pipelines.cli.command import USAGE, main
from pipelines.winner import predicting
from pipelines.winner.exported import ABOUT, MODEL, PREPROCESSING
from tests.pipelines.recorded import write_run
from trainables.data import table_streams
from trainables.data.datasets import load
from trainables.data.reading import AS_IT_LOOKS, Reading

pytestmark = pytest.mark.usefixtures("elsewhere")

N = 60


def write_model(
    frame: pd.DataFrame,
    reading: Reading = AS_IT_LOOKS,
    separator: str = ",",
    decimal: str = ".",
    classes: Sequence[object] = ("no", "yes"),
) -> None:
    """Writes an untrained network into ``model`` that predicts ``y`` from the other columns."""
    frame = frame.assign(y=pd.Series(list(classes) * (len(frame) // 2)))
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


def test_a_run_is_no_model_and_can_be_exported(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs", "cnn"))
    assert main(predict.app, ["runs/cnn", "photos"]) == USAGE
    command = "python -m pipelines.export runs/cnn model"
    told = f"error: no model in runs/cnn: it is a run; `{command}` exports its model\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("folder", "reason"), [("none", "there is no such folder"), (".", "it has no model.json")]
)
def test_a_folder_without_a_model_is_said_in_plain_words(
    folder: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(predict.app, [folder, "mine.csv"]) == USAGE
    told = f"error: no model in {folder}: {reason}; give the folder that export.py has written\n"
    assert capsys.readouterr().err == told


def predicted(file: str) -> list[float]:
    """The command's output for each row: the probability that ``y`` is "no"."""
    assert main(predict.app, ["model", file, "--output", "out.csv"]) == 0
    found = pd.read_csv("out.csv")
    Path("out.csv").unlink()
    assert list(found) == ["prediction", "p_no", "p_yes"]
    return [float(p) for p in found["p_no"]]


def of_rows(**columns: object) -> object:
    """The same for rows in the types of the training file, approximately."""
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
    assert len(set(found)) == len({*new} - {"unknown"})  # which counts as the commonest
    assert found == expected
    assert list(load_model("model").predict("new.csv")["p_no"]) == expected


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("a b", ["Red", "Blue"], "nearly all values in the first rows are new to the model, such "),
        ("a b", ["red", "Blue"], None),
        ("a b", ["red", ""], None),
        ("n", ["", "nan"], "no value in the first rows"),
        ("n", ["7", ""], None),
        ("n", ["900", "-8"], "nearly all values in the first rows are outside the range of the "),
        ("n", ["900", "8"], None),
        ("t", ["2031-01-02", "2031-01-02 05:00"], "nearly all values in the first rows are outsid"),
        ("t", ["2020-02-01", ""], None),
    ],
)
def test_values_that_tell_a_model_nothing_are_said(
    column: str, values: list[str], told: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    days = pd.date_range("2020-01-01", periods=N)
    write_model(pd.DataFrame({"a b": ["red", "blue", "red"] * 20, "n": [*range(N)], "t": days}))
    known = pd.DataFrame({"a b": ["red"] * 2, "n": ["1", "2"], "t": ["2020-02-01"] * 2})
    new = known.assign(**{column: values})
    new.to_csv("new.csv", index=False)
    predicted("new.csv")
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"note      {column!r}: {told}" if told else "predicted 2 samples")


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


@pytest.mark.parametrize("text", ["size,kind\n1,K\xf6ln\n", "K\xf6ln,size,kind\n1,1,a\n"])
def test_a_file_in_latin_1_is_to_be_saved_otherwise(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    write_model(pd.DataFrame({"size": np.arange(N) / 7, "kind": ["a", "b"] * (N // 2)}))
    Path("new.csv").write_text(text, encoding="latin-1")
    assert main(predict.app, ["model", "new.csv"]) == 2
    told = "'new.csv' cannot be parsed as csv: it is not UTF-8 text: save it as UTF-8"
    assert told in capsys.readouterr().err


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
    assert "'new.csv': column 'size' has 'large', which is not a number" in capsys.readouterr().err


def test_a_file_of_many_columns_is_read_in_a_second() -> None:
    names = [f"x{i}" for i in range(4000)]
    rows = [",".join(f"{i}.{row}" for i in range(4000)) for row in range(4)]
    Path("wide.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    start = time.process_time()
    (table,) = table_streams.stream_table(Path("wide.csv"), numbers=names)
    assert table["x3999"].to_pylist() == [3999.0, 3999.1, 3999.2, 3999.3]
    assert time.process_time() - start < 1


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


def test_the_index_that_pandas_writes_is_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"size": np.arange(N) / 7})
    write_model(frame)
    frame.iloc[[3, 1, 2]].to_parquet("new.parquet")  # whose index is no range: pandas writes it
    assert predicted("new.parquet") == of_rows(size=[3 / 7, 1 / 7, 2 / 7])
    assert "ignored" not in capsys.readouterr().err


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
    """Whatever type Arrow would give the column of the new file."""
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
    assert "'large', which is not a number" in capsys.readouterr().err


@pytest.mark.parametrize(("separator", "number"), [(",", "1.5"), (";", "1,5")])
@pytest.mark.parametrize("mark", ["?", "-", " "])
def test_a_mark_that_training_did_not_have_is_a_missing_value(
    monkeypatch: pytest.MonkeyPatch, mark: str, separator: str, number: str
) -> None:
    monkeypatch.setattr(table_streams, "_BLOCK", 2000)
    write_model(pd.DataFrame({"x": np.arange(N) / 7, "n": np.arange(N)}))
    rows = [f"{mark}{separator}3", *[f"{number}{separator}4"] * 1000, f" 2{separator}{mark}"]
    Path("new.csv").write_text("\n".join([f"x{separator}n", *rows]))
    expected = of_rows(x=[None, *[1.5] * 1000, 2.0], n=[3, *[4] * 1000, None])
    assert predicted("new.csv") == expected
    assert load_model("model").predict("new.csv")["p_no"].tolist() == expected
    frame = pd.DataFrame({"x": [mark, 1.5, "2"], "n": [3, 4, mark]})
    frame.astype(str).to_parquet("new.parquet")
    expected = of_rows(x=[None, 1.5, 2.0], n=[3, 4, None])
    assert predicted("new.parquet") == expected
    assert load_model("model").predict(frame)["p_no"].tolist() == expected


def test_a_mark_that_training_took_for_a_category_stays_one() -> None:
    write_model(pd.DataFrame({"x": ["a", "1", "?"] * (N // 3)}))
    pd.DataFrame({"x": ["1", "?"]}).to_csv("new.csv", index=False)
    found = predicted("new.csv")
    assert found[0] != found[1]
    assert found == of_rows(x=["1", "?"])


@pytest.mark.parametrize(
    ("names", "typed"),
    [
        (
            ["05:30", "06:00", "17:15"],
            [datetime.time(5, 30), datetime.time(6), datetime.time(17, 15)],
        ),
        (["2013-01-01 05:00", "2013-01-02 05:00", "2013-01-03"], None),
        (["2013-01-01T05:00:00Z", "2013-01-02T05:00:00Z", "2013-01-03T05:00:00Z"], None),
        (["01.01.2013", "02.01.2013", "03.01.2013"], None),
        (["1,3", "2,0", "3"], [1.3, 2.0, 3.0]),
    ],
)
def test_names_that_look_like_times_or_numbers_are_known_however_they_come(
    names: list[str], typed: list[object] | None
) -> None:
    reading = Reading(category=("a",))
    write_model(pd.DataFrame({"a": names * (N // 3), "x": 1}), reading, separator=";")
    model = load_model("model")
    pd.DataFrame({"a": [*names, "soon"], "x": 1}).to_csv("new.csv", index=False, sep=";")
    expected = pytest.approx(model.predict("train.csv")["p_no"].tolist()[:3], rel=1e-5)
    assert len(set(predicted("train.csv"))) == 3
    assert predicted("train.csv")[:3] == expected
    assert predicted("new.csv")[:3] == expected
    assert model.predict("new.csv")["p_no"].tolist()[:3] == expected
    as_text = pd.read_csv("train.csv", sep=";")
    assert model.predict(as_text)["p_no"].tolist()[:3] == expected
    values = typed or pd.to_datetime(pd.Series(names), format="mixed", dayfirst="." in names[0])
    assert model.predict(pd.DataFrame({"a": values}))["p_no"].tolist() == expected


def test_numbers_of_another_type_are_the_same_names() -> None:
    """Also for an older model, which spells decimals as Python does."""
    write_model(pd.DataFrame({"a": [1.5, 2.25, 3.0] * (N // 3)}), Reading(category=("a",)))
    path = Path("model", PREPROCESSING)
    expected = of_rows(a=[1.5, 2.25, 3.0])
    path.write_text(path.read_text().replace('"1.5"', '"1.50"'))
    for names in ([1.5, 2.25, 3.0], ["1.50", "2.250", "3"]):
        found = load_model("model").predict(pd.DataFrame({"a": names}))["p_no"].tolist()
        assert len(set(found)) == 3
        assert found == expected


@pytest.mark.parametrize(
    "dates",
    [
        ["2013-05-17T18:00:00Z", "2013-06-18T19:30:00Z", "2014-07-19T20:00:00Z"],
        ["2013-05-17T18:00:00+02:00", "2013-06-18T19:30:00+02:00", "2014-07-19T20:00:00+01:00"],
        ["2013-05-17", "2013-06-18 05:30", "2014-07-19 05:30:59.25"],
        ["17.05.2013", "18.06.2013", "19.07.2014"],
        ["17.05.2013 05:30", "18.06.2013 06:30", "19.07.2014 07:30"],
        ["2013/05/17", "2013/06/18", "2014/07/19"],
        ["2013/05/17 05:30", "2013/06/18 05:30:20", "2014/07/19 05:30"],
        ["22:30", "05:00:30", "00:00"],
    ],
)
def test_dates_that_are_texts_are_read_as_in_a_csv_file(dates: list[str]) -> None:
    write_model(pd.DataFrame({"at": [*dates, None] * (N // 4)}))
    model = load_model("model")
    expected = predicted("train.csv")
    assert len(set(expected)) == 4
    frame = pd.read_csv("train.csv")
    assert model.predict(frame)["p_no"].tolist() == pytest.approx(expected, rel=1e-5)
    frame.to_parquet("texts.parquet")
    assert predicted("texts.parquet") == expected


def test_dates_among_numbers_and_bytes_among_texts_are_refused() -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7, "c": ["red", "blue"] * (N // 2)}))
    model = load_model("model")
    good = pd.DataFrame({"x": [1.0, 2.0], "c": ["red", "blue"]})
    intervals: Any = pd.cut([1, 2], 2)
    cases: list[tuple[str, Any, str]] = [
        ("x", pd.to_datetime(["2020-01-01", "2020-01-02"]), "timestamp.*, not numbers"),
        ("x", [datetime.date(2020, 1, 1), None], "date32.*, not numbers"),
        ("x", [datetime.time(5), None], "time64.*, not numbers"),
        ("c", [b"red", b"blue"], "binary, not categories"),
        ("c", intervals, "interval.*, not categories"),
        ("c", intervals.astype("interval"), "interval.*, not categories"),
    ]
    for name, values, told in cases:
        with pytest.raises(ValueError, match=f"column '{name}' has the type .*{told}"):
            model.predict(good.assign(**{name: values}))
    missing = model.predict(good.assign(x=None))
    assert model.predict(good.assign(x=pd.Series([None, None], dtype="datetime64[s]"))).equals(
        missing
    )
    later = model.predict(good.assign(x=pd.to_timedelta([1, 2], "s")))  # durations are numbers
    assert later.equals(model.predict(good))


@pytest.mark.parametrize("large", [4e38, 1e308, np.inf])
def test_a_number_beyond_float32_counts_as_the_nearest_end_and_an_infinite_one_as_missing(
    large: float,
) -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7}))
    model = load_model("model")
    found = model.predict(pd.DataFrame({"x": [large, -large, 1e9, -1e9, np.nan]}))["p_no"].tolist()
    same = [found[4]] * 2 if large == np.inf else found[2:4]
    assert found[:2] == same


def test_a_model_is_found_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7}))
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert load_model("~/model").class_names == ("no", "yes")


def test_no_date_is_missing_and_a_number_is_none() -> None:
    write_model(pd.DataFrame({"at": pd.date_range("2020-01-01", periods=N, freq="13h")}))
    missing = of_rows(at=pd.to_datetime(pd.Series([None, None])))
    for none in ([np.nan, np.nan], ["", " "]):
        assert load_model("model").predict(pd.DataFrame({"at": none}))["p_no"].tolist() == missing
    with pytest.raises(ValueError, match="column 'at' has the type int64, not dates"):
        load_model("model").predict(pd.DataFrame({"at": [2020, 2021]}))


@pytest.mark.parametrize("value", ["soon", "01/02/2013", "2013-13-01", "25:00", "2013"])
def test_a_text_among_dates_that_is_none_is_named(value: str) -> None:
    write_model(pd.DataFrame({"at": pd.date_range("2020-01-01", periods=N, freq="13h")}))
    with pytest.raises(ValueError, match=f"column 'at' has '{value}', which is not a date such as"):
        load_model("model").predict(pd.DataFrame({"at": ["2020-01-02", value]}))


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [((0, 1), "int64"), ((0.5, 1.5), "float64"), ((False, True), "bool"), (("a", "b"), None)],
)
def test_classes_come_back_as_they_were(classes: tuple[object, object], dtype: str | None) -> None:
    reading = Reading(task="classification")
    write_model(pd.DataFrame({"x": np.arange(N) / 7}), reading, classes=classes)
    train, model = pd.read_csv("train.csv"), load_model("model")
    found = model.predict(train)
    assert list(found) == ["prediction", *(f"p_{name}" for name in classes)]
    assert dtype is None or found["prediction"].dtype == dtype
    likelier = found[f"p_{classes[1]}"] > found[f"p_{classes[0]}"]
    assert (found["prediction"] == [classes[yes] for yes in likelier]).all()
    assert main(predict.app, ["model", "train.csv", "--output", "out.csv"]) == 0
    first = Path("out.csv").read_text().splitlines()[1]
    assert first.startswith(f'"{found["prediction"][0]}",')
    # An older model does not say of what kind they are, so they are texts.
    content = json.loads(Path("model", PREPROCESSING).read_text())
    content.pop("class_kind", None)
    Path("model", PREPROCESSING).write_text(json.dumps(content))
    assert load_model("model").predict(train)["prediction"].tolist() == [
        str(value) for value in found["prediction"]
    ]


def test_what_is_no_table_is_one_line() -> None:
    frame = pd.DataFrame({"x": np.arange(N) / 7, "colour": ["red", "blue"] * (N // 2)})
    write_model(frame)
    model = load_model("model")
    row: Any = frame.iloc[0]
    rows: Any
    for rows in (row, row.to_dict(), [row.to_dict()], frame[["x"]].to_numpy(), 3, None):
        with pytest.raises(ValueError, match=r"give a DataFrame .*frame\.iloc\[\[0\]\]"):
            model.predict(rows)
    table = pa.Table.from_pandas(frame)
    twice = table.append_column("x", table["x"])
    for rows in (twice, pd.concat([frame, frame[["x"]]], axis=1)):
        with pytest.raises(ValueError, match="more than one column 'x'"):
            model.predict(rows)
    with pytest.raises(ValueError, match=r"column 'x' has '1j', which is not a number"):
        model.predict(frame.assign(x=1j))
    value: Any
    for value in ([1], {"a": 1}):
        with pytest.raises(ValueError, match="column 'colour' has the type"):
            model.predict(frame.assign(colour=[value] * N))
    wanted = model.predict(frame)
    batch = pa.RecordBatch.from_pandas(frame)
    for rows in (batch, frame.assign(other=1j), frame.assign(other=2**70)):
        assert model.predict(rows).equals(wanted)


def test_only_csv_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7}))
    assert main(predict.app, ["model", "train.csv", "--output", "p.parquet"]) == 2
    assert "p.parquet" in capsys.readouterr().err
    assert not Path("p.parquet").exists()


def test_a_file_that_came_meanwhile_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(pd.DataFrame({"x": np.arange(N) / 7}))
    write = predicting.write_predictions

    def meanwhile(*arguments: Any) -> Iterator[int]:
        yield from write(*arguments)
        Path("out.csv").write_text("theirs")

    monkeypatch.setattr("pipelines.cli.predict.write_predictions", meanwhile)
    assert main(predict.app, ["model", "train.csv", "--output", "out.csv"]) == 2
    assert "out.csv exists" in capsys.readouterr().err
    assert Path("out.csv").read_text() == "theirs"
    assert len(pd.read_csv(f"out.first-{N}.csv")) == N
