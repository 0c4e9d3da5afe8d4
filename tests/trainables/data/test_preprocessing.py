"""A fitted preprocessing survives JSON, and turns new samples into the inputs of a search."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from trainables.data.datasets import TrialData, load, load_folds
from trainables.data.preprocessing import Preprocessing
from trainables.data.table_inputs import fit_table

N = 120


def mixed() -> pd.DataFrame:
    """A table with a column of every kind, with missing values."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(5, 2, N).round(3),
            "whole": rng.integers(0, 9, N),
            "colour": rng.choice(np.array(["red", "blue", "grün", None]), N),
            "flag": rng.choice([True, False], N),
            "city": [f"city {i // 2}" for i in range(N)],
            "when": pd.date_range("2020-01-30", periods=N, freq="7h"),
            "id": [f"row {i}" for i in range(N)],
            "y": rng.choice(["no", "yes"], N),
        }
    )
    frame.loc[[3, 40], "number"] = np.nan
    frame.loc[7, "when"] = None
    return frame


def through_json(data: TrialData) -> Preprocessing:
    assert data.preprocessing is not None
    text = json.dumps(data.preprocessing.to_dict(), allow_nan=False)
    again = Preprocessing.from_dict(json.loads(text))
    assert again == data.preprocessing
    return again


def rows_in(x: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The places of the rows of ``x`` in ``whole``; they must match exactly."""
    places = {row.tobytes(): place for place, row in enumerate(whole)}
    return np.array([places[row.tobytes()] for row in x])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_of_a_table_become_what_they_were_in_training(tmp_path: Path, suffix: str) -> None:
    frame, path = mixed(), tmp_path / f"t{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data = load(str(path), target="y")
    fitted = through_json(data)
    assert (fitted.target, fitted.class_names) == ("y", ("no", "yes"))
    for rows in (frame, path, str(path), frame.drop(columns=["y", "id"])):
        x = fitted.transform(rows)
        assert x.dtype == np.float32
        found = rows_in(np.concatenate([data.x_train, data.x_val]), x)
        assert len(set(found)) == len(data.x_train) + len(data.x_val)
    shuffled = frame.sample(frac=1, random_state=0)[list(reversed(frame.columns))]
    np.testing.assert_array_equal(fitted.transform(shuffled), x[shuffled.index])


def test_a_single_row_becomes_what_it_is_among_others(tmp_path: Path) -> None:
    frame, path = mixed(), tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    fitted = through_json(load(str(path), target="y"))
    whole = fitted.transform(frame)
    for row in (0, 3, 7, N - 1):
        np.testing.assert_array_equal(fitted.transform(frame.iloc[[row]])[0], whole[row])
    assert fitted.transform(frame.iloc[:0]).shape == (0, whole.shape[1])


def test_values_that_training_did_not_have(tmp_path: Path) -> None:
    frame, path = mixed(), tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    fitted = through_json(load(str(path), target="y"))
    strange = frame.iloc[:3].assign(
        number=["1e999", "-4", np.nan], colour="violet", flag=None, city="city x", when="1815-06-18"
    )
    x = fitted.transform(strange)
    assert np.isfinite(x).all()
    assert x[0, 0] == x[2, 0] != x[1, 0]  # an infinite value counts as missing


def test_another_input_says_whether_a_number_is_missing() -> None:
    table = pa.table({"a": [1.0, None, 3.0, None, 9.0], "b": [1.0, 2.0, 4.0, None, 9.0]})
    inputs = fit_table(table, np.arange(5))
    assert [column.width for column in inputs.columns] == [2, 1]  # of b too few are missing
    x = inputs.transform(table)
    np.testing.assert_array_equal(x[:, 1], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(x[[1, 3], 0], x[2, 0])  # the median
    again = Preprocessing.from_dict(json.loads(json.dumps(Preprocessing(inputs, ()).to_dict())))
    np.testing.assert_array_equal(again.transform(table), x)


def test_another_input_says_whether_a_date_is_missing() -> None:
    days = [date(2013, 1, 31), None, date(2014, 2, 1), None, date(2015, 3, 2)]
    table = pa.table({"a": days, "b": [*days[:3], date(2014, 5, 1), date(2015, 3, 2)]})
    inputs = fit_table(table, np.arange(5))
    a, b = inputs.columns
    assert (a.width, b.width) == (b.width + 1, 7)  # of b too few are missing
    assert a.becomes.endswith("place in the week, whether it is missing")
    x = inputs.transform(table)
    np.testing.assert_array_equal(x[:, a.width - 1], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(x[[1, 3], : a.width - 1], 0)
    again = Preprocessing.from_dict(json.loads(json.dumps(Preprocessing(inputs, ()).to_dict())))
    np.testing.assert_array_equal(again.transform(table), x)


@pytest.mark.parametrize("value", [1, date(2013, 1, 31)])
def test_a_single_value_that_is_often_missing_is_an_input(value: object) -> None:
    inputs = fit_table(pa.table({"a": [value, None, value, None]}), np.arange(4))
    x = inputs.transform(pa.table({"a": [None, value]}))
    np.testing.assert_array_equal(x[:, -1], [1, 0])
    assert np.isfinite(x).all()
    with pytest.raises(ValueError, match="only"):  # a single missing one teaches nothing
        fit_table(pa.table({"a": [value, value, None]}), np.arange(3))


@pytest.mark.parametrize(
    ("trained", "new", "same"),
    [
        (["true", "false", "unknown"], [True, False], ["true", "false"]),
        (["TRUE", "FALSE", "unknown"], [True, None], ["TRUE", None]),
        (["True", "true", "False"], [True, False], ["True", "False"]),
        ([True, False, True], ["true", "FALSE", "unknown"], [True, False, "unknown"]),
        ([True, False, None], ["1", None, "0"], [True, None, False]),
        ([True, False, True], [1, 0], [True, False]),
        (["true", "false", "unknown"], ["True", "FALSE"], ["another", "another"]),  # as before
    ],
)
def test_truth_values_may_be_spelt_otherwise_than_in_training(
    trained: list[object], new: list[object], same: list[object]
) -> None:
    inputs = fit_table(pa.table({"a": trained * 2}), np.arange(6))
    wanted = [inputs.transform(pa.table({"a": pa.array([value])}))[0] for value in same]
    np.testing.assert_array_equal(inputs.transform(pa.table({"a": new})), wanted)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+05:30", "UTC"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_moment_is_the_same_in_any_file_and_any_time_zone(
    tmp_path: Path, zone: str, suffix: str
) -> None:
    at = pd.date_range("2020-03-01", periods=N, freq="31h", tz=zone)  # with the start of summer
    frame = pd.DataFrame({"at": at, "y": ["no", "yes"] * (N // 2)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    fitted = through_json(load(str(tmp_path / f"t{suffix}"), target="y"))
    wanted = fitted.transform(tmp_path / f"t{suffix}")
    elsewhere = frame.assign(at=frame["at"].dt.tz_convert("America/New_York"))
    texts = frame.assign(at=frame["at"].astype(str))
    for rows in (tmp_path / "t.csv", tmp_path / "t.parquet", frame, elsewhere, texts):
        np.testing.assert_array_equal(fitted.transform(rows), wanted)
    if suffix == ".parquet":  # a time without a zone is one in the zone of the train rows
        naive = frame.assign(at=frame["at"].dt.tz_localize(None))
        np.testing.assert_array_equal(fitted.transform(naive), wanted)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_codes_of_a_file_are_what_they_were_in_training(tmp_path: Path, suffix: str) -> None:
    """Even if a file has only texts that look like numbers, with or without leading zeros."""
    codes = pd.DataFrame({"code": ["01", "02", "A1"] * 20, "y": ["no", "yes"] * 30})
    codes.to_csv(tmp_path / "t.csv", index=False)
    fitted = through_json(load(str(tmp_path / "t.csv"), target="y"))
    new, path = codes.loc[:1, ["code"]], tmp_path / f"new{suffix}"
    new.to_csv(path, index=False) if suffix == ".csv" else new.to_parquet(path)
    for rows in (path, str(path), new):
        np.testing.assert_array_equal(fitted.transform(rows), [[1, 0, 0], [0, 1, 0]])


def test_a_file_without_rows_has_inputs_for_none(tmp_path: Path) -> None:
    frame, path = mixed(), tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    fitted = through_json(load(str(path), target="y"))
    frame.iloc[:0].to_csv(path, index=False)
    assert fitted.transform(path).shape == (0, *fitted.inputs.shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="colour"), "there is no column 'colour'"),
        (
            lambda frame: frame.assign(number="much"),
            "column 'number' has 'much', which is not a number",
        ),
        (lambda frame: frame.assign(when="soon"), "column 'when' has 'soon', which is not a date"),
        (
            lambda frame: frame.assign(colour=pd.to_timedelta(5, "h")),
            "column 'colour' has the type duration.*, not categories",
        ),
    ],
)
def test_rows_of_another_kind_are_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    mixed().to_csv(tmp_path / "t.csv", index=False)
    fitted = through_json(load(str(tmp_path / "t.csv"), target="y"))
    with pytest.raises(ValueError, match=message):
        fitted.transform(change(mixed()))


def test_a_regression_knows_its_unit(tmp_path: Path) -> None:
    mixed().assign(y=np.arange(N) * 1000.0 + 0.5).to_csv(tmp_path / "t.csv", index=False)
    data = load(str(tmp_path / "t.csv"), target="y")
    fitted = through_json(data)
    assert fitted.class_names == ()
    values = data.y_train * fitted.target_std + fitted.target_mean
    np.testing.assert_allclose(values % 1000, 0.5, atol=0.1)


def test_image_files_become_what_they_were_in_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")
    data = load(str(tmp_path / "pets"))
    fitted = through_json(data)
    assert fitted.class_names == ("cat", "dog")
    assert str(fitted.inputs) == "12x9 pixels, 3 channels"
    whole = fitted.transform(sorted(tmp_path.rglob("*.png")))
    assert len(set(rows_in(np.concatenate([data.x_train, data.x_val]), whole))) == 12
    Image.new("L", (50, 40), 255).save(tmp_path / "other.png")  # size and mode are adapted
    assert fitted.transform([tmp_path / "other.png"]).shape == (1, 3, 9, 12)
    with pytest.raises(ValueError, match=r"must have the shape \(3, 9, 12\), not \(1, 9, 12\)"):
        fitted.transform(np.zeros((2, 1, 9, 12), np.uint8))


def test_image_files_have_the_brightness_of_the_train_images(tmp_path: Path) -> None:
    """The pixels of ``digits`` go from 0 to 16, those of a file from 0 to 255."""
    fitted = through_json(load("digits"))
    pixels = np.arange(2 * 64).reshape(2, 1, 8, 8) % 17
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for image, path in zip(pixels, paths, strict=True):
        Image.fromarray((image[0] * 255 / 16).round().astype(np.uint8)).save(path)
    as_pixels = fitted.transform(pixels)
    np.testing.assert_allclose(fitted.transform(paths), as_pixels, atol=0.01)
    for dtype in (np.uint8, np.float64):
        np.testing.assert_array_equal(fitted.transform(pixels.astype(dtype)), as_pixels)


def test_a_model_of_before_ranges_reads_files_as_they_are(tmp_path: Path) -> None:
    _, old = contents()[1]
    del old["white"]
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    fitted = Preprocessing.from_dict(old)
    assert (fitted.transform([tmp_path / "white.png"]) == (255 - 1) / 2).all()


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.array([-1.0, 9.0]), "-1 and 9"),
        (np.array([0, 256]), "0 and 256"),
        (np.array([0.0, np.nan]), "nan and nan"),
    ],
)
def test_pixels_of_another_range_are_refused(pixels: np.ndarray, told: str) -> None:
    fitted = Preprocessing.from_dict(contents()[1][1])
    with pytest.raises(ValueError, match=f"^pixels must be between 0 and 255, not .* {told}$"):
        fitted.transform(np.tile(pixels, 32).reshape(1, 1, 8, 8))


@pytest.mark.parametrize("pixels", [np.array([0.0, 1.0]), np.array([False, True])])
def test_that_one_is_white_is_refused(pixels: np.ndarray) -> None:
    fitted = Preprocessing.from_dict(contents()[1][1])
    says = "^no pixel is above 1, but white is 255 here: multiply pixels from 0 to 1 by 255$"
    with pytest.raises(ValueError, match=says):
        fitted.transform(np.tile(pixels, 32).reshape(1, 1, 8, 8))


@pytest.mark.parametrize("level", [0.0, 1, 1.5, 255])
def test_dark_pixels_are_not_of_another_range(level: float) -> None:
    fitted = Preprocessing.from_dict(contents()[1][1])
    assert (fitted.transform(np.full((1, 1, 8, 8), level)) == (level - 1) / 2).all()


@pytest.mark.parametrize("source", ["digits", "wine", "diabetes"])
def test_every_source_has_one(source: str) -> None:
    data = load(source)
    assert through_json(data).inputs.shape == data.input_shape
    assert len({json.dumps(through_json(fold).to_dict()) for fold in load_folds(source, 3)}) == 3


def contents() -> list[tuple[str, dict[str, Any]]]:
    """Two sound preprocessings with every kind of column, to be spoiled."""
    table = {
        "format": 1,
        "kind": "table",
        "columns": [
            {
                "kind": "number",
                "name": "a",
                "median": 0,
                "mean": 1.5,
                "std": 2.0,
                "missing": 0.25,
                "ends": [0.0, 3.5],
                "decimal": None,
                "tells_missing": True,
            },
            {
                "kind": "category",
                "name": "b",
                "values": [None, "x"],
                "other": True,
                "of_numbers": False,
                "counts": {"x": 3},
                "mean": 0.0,
                "std": 1.0,
                "missing": 0.0,
                "apart": True,
                "commonest": None,
            },
            {
                "kind": "category",
                "name": "e",
                "values": ["1", "2"],
                "other": False,
                "of_numbers": True,
                "counts": None,
                "mean": 0.0,
                "std": 1.0,
                "missing": 0.0,
                "apart": False,
                "commonest": 1,
            },
            {
                "kind": "date",
                "name": "c",
                "mean": 0.0,
                "std": 1.0,
                "cycles": ["day"],
                "missing": 0.0,
                "ends": [0.0, 86400.0],
                "zone": "Europe/Berlin",
                "tells_missing": True,
            },
            {"kind": "left out", "name": "d", "why": "it has no value", "missing": 1.0},
        ],
        "class_names": ["False", "True"],
        "target": "y",
        "target_mean": 0.0,
        "target_std": 1.0,
        "class_kind": "truth",
    }
    images = {
        "format": 1,
        "kind": "images",
        "mode": "L",
        "height": 8,
        "width": 8,
        "mean": [1.0],
        "std": [2.0],
        "white": 255,
        "class_names": ["a"],
        "target": None,
        "target_mean": 0.0,
        "target_std": 1.0,
    }
    return [("table", table), ("images", images)]


_COLUMNS = {
    "a": [1.0, None],
    "b": ["x", None],
    "c": ["2020-01-01", None],
    "d": [1.0, None],
    "e": ["1", None],
}
SAMPLES: dict[str, Any] = {
    "table": pd.DataFrame(
        {name: _COLUMNS.get(name, [None, None]) for name in [*_COLUMNS, "x", "\x1b[31m"]}
    ),
    "images": np.zeros((2, 1, 8, 8), np.uint8),
}


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value."""
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for key, value in inside:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


@pytest.mark.parametrize(
    ("kind", "sound"), contents(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_what_is_no_preprocessing_is_one_line(kind: str, sound: dict[str, Any]) -> None:
    assert Preprocessing.from_dict(sound).to_dict() == sound
    wrong: list[Any] = [None, "x", -1, 1e400, float("nan"), [], {}, [[1]], True, "\x1b[31m"]
    for path in places(sound):
        for value in wrong:
            spoilt = json.loads(json.dumps(sound))
            inner = spoilt
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                read = Preprocessing.from_dict(spoilt)
            except ValueError:
                continue
            # Content that is still accepted is sound: it can be written again, and it transforms.
            assert Preprocessing.from_dict(read.to_dict()) == read
            assert np.isfinite(read.transform(SAMPLES[kind])).all()
