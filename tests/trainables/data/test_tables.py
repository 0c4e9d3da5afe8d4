"""Table files: columns, targets, scaling, and messages for files that are not usable."""

from __future__ import annotations

import gzip
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainables.data import table_files
from trainables.data.column_files import column_from_dict, column_to_dict
from trainables.data.columns import Date, LeftOut, Number
from trainables.data.datasets import load, load_test
from trainables.data.fit_columns import MOST_VALUES, fit_column
from trainables.data.reading import Reading
from trainables.data.table_files import read_table
from trainables.data.table_inputs import TableInputs, fit_table


def write_csv(path: Path, **columns: object) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def train_rows(source: str) -> np.ndarray:
    """Which rows of a file whose first column counts its rows are in the train split."""
    data = load(source, target="y")
    assert data.preprocessing is not None
    assert isinstance(data.preprocessing.inputs, TableInputs)
    count = data.preprocessing.inputs.columns[0]
    assert isinstance(count, Number)
    return np.rint(data.x_train[:, 0] * count.std + count.mean).astype(int)


def test_what_lies_beyond_the_train_rows_counts_as_the_nearest_of_them() -> None:
    days = pd.to_datetime(["2020-01-01", "2020-03-01", "2020-07-01"])
    inputs = fit_table(pa.table({"x": [1.0, 2.0, 4.0], "day": days}), np.arange(3))
    far = pd.to_datetime(["1970-01-01", "2020-03-01", "2400-01-01"])
    rows = pa.table({"x": [-1e30, 2.0, 1e30], "day": far})
    encoded = inputs.transform(rows)
    seen = inputs.transform(pa.table({"x": [1.0, 2.0, 4.0], "day": days}))
    time = inputs.columns[0].width  # the first input of the date
    np.testing.assert_array_equal(encoded[:, [0, time]], seen[:, [0, time]])


def test_columns_of_models_of_before_are_taken_as_they_were() -> None:
    before = {"kind": "number", "name": "x", "median": 1.0, "mean": 1.0, "std": 2.0}
    column = column_from_dict(before)
    np.testing.assert_array_equal(column.encode(pa.chunked_array([[101.0]])), [[50.0]])


def test_a_table_of_many_columns_is_encoded_in_a_second() -> None:
    table = pa.table({f"x{i}": [i, i + 1.5] for i in range(3000)})
    inputs = TableInputs(tuple(Number(name, 0.0, 0.0, 1.0) for name in table.column_names))
    start = time.process_time()
    assert inputs.transform(table)[1, -1] == 3000.5
    assert time.process_time() - start < 1


def test_tables_are_fitted_on_train_only(tmp_path: Path) -> None:
    count = np.arange(50)
    x, y = count + 0.5, count * 1.5 + 0.25
    colour = np.array(["red", "blue"] * 25, dtype=object)
    gap = np.full(50, np.nan)
    source = write_csv(tmp_path / "t.csv", count=count, x=x, colour=colour, gap=gap, y=y)
    before = load(source, target="y")
    others = np.setdiff1d(count, train_rows(source))
    x[others] *= 1e6
    y[others] *= 1e6
    colour[others] = "green"
    gap[others] = 1
    write_csv(tmp_path / "t.csv", count=count, x=x, colour=colour, gap=gap, y=y)
    after = load(source, target="y")
    np.testing.assert_array_equal(after.x_train, before.x_train)
    np.testing.assert_array_equal(after.y_train, before.y_train)
    assert after.x_val[:, 1].max() == after.x_train[:, 1].max()  # values beyond it are clipped
    assert after.y_val.max() > 1e5
    assert before.x_val[:, 2:].sum() == len(before.x_val)
    commonest = np.eye(2)[after.x_train[:, 2:].sum(0).argmax()]  # as an unseen value counts
    assert (after.x_val[:, 2:] == commonest).all()
    assert after.preprocessing == before.preprocessing


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_mixed_columns(tmp_path: Path, suffix: str) -> None:
    n = 40
    number = np.arange(n, dtype=float)
    number[[0, 1, 2]] = [np.inf, -np.inf, np.nan]
    frame = pd.DataFrame(
        {
            "number": number,
            "whole": pd.array([None, *range(1, n)], dtype="Int64"),
            "flag": [True, False] * (n // 2),
            "flag or none": [True, None] * (n // 2),
            "colour": [None, "red", "blue", "red"] * (n // 4),
            "constant": 3,
            "nothing": [None] * n,
            "id": [f"row {i}" for i in range(n)],
            "y": ["no", "yes"] * (n // 2),
        }
    )
    path = tmp_path / f"mixed{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data, test = load(str(path), target="y"), load_test(str(path), target="y")
    # number, whole; flag 2, flag or none 2, colour 3; the others have nothing to learn from
    assert data.input_shape == test.x.shape[1:] == (2 + 2 + 2 + 3,)
    for x in (data.x_train, data.x_val, test.x):
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.abs(x[:, :2]).max() < 3
        assert set(np.unique(x[:, 2:])) == {0, 1}
    assert data.preprocessing is not None
    inputs = data.preprocessing.inputs
    assert str(inputs) == "8: 2 numbers, 3 categories, 3 left out (constant, nothing, id)"
    assert (data.name, data.class_names, data.is_image) == ("mixed", ("no", "yes"), False)


def test_a_category_of_many_values_has_a_column_for_the_commonest_alone(tmp_path: Path) -> None:
    names = [f"name {i // (1 + i % 7)}" for i in range(3000)]
    data = load(write_csv(tmp_path / "t.csv", name=names, y=[0, 1] * 1500), target="y")
    assert data.input_shape == (MOST_VALUES + 2,)  # plus the other values and the count
    assert (data.x_train[:, : MOST_VALUES + 1].sum(1) == 1).all()
    often = data.x_train[:, -1]
    assert often.mean() == pytest.approx(0, abs=1e-4)
    assert often.std() == pytest.approx(1, abs=1e-4)
    others = data.x_train[:, MOST_VALUES] == 1
    assert others.any()
    assert often[others].max() <= often[~others].min()


def test_numbers_may_be_names(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "t.csv", zip=[1, 2, 3, None] * 15, y=[0, 1] * 30)
    assert load(source, target="y").input_shape == (2,)  # and whether it is missing
    data = load(source, target="y", reading=Reading(category=("zip",)))
    assert data.input_shape == (4,)
    assert data.preprocessing is not None
    frame = pd.DataFrame({"zip": [3, 1.0, None]})
    expected = [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(data.preprocessing.transform(frame), expected)
    texts = pd.DataFrame({"zip": ["3", "1.0", None]})
    np.testing.assert_array_equal(data.preprocessing.transform(texts), expected)


def test_a_new_value_of_a_category_without_others_is_the_commonest() -> None:
    column = pa.chunked_array([["a", "b", "b", "b", "a"]])
    new = pa.chunked_array([["a", "new", None]])
    fitted = fit_column("x", column)
    np.testing.assert_array_equal(fitted.encode(new), [[1, 0], [0, 1], [0, 1]])
    assert column_from_dict(column_to_dict(fitted)) == fitted
    before = {k: v for k, v in column_to_dict(fitted).items() if k != "commonest"}
    np.testing.assert_array_equal(column_from_dict(before).encode(new), [[1, 0], [0, 0], [0, 0]])
    rare = fit_column("x", pa.chunked_array([["a", "b", "b", "a", "rare"]]))
    np.testing.assert_array_equal(rare.encode(new), [[1, 0, 0], [0, 0, 1], [0, 0, 1]])


def test_dates_are_times_and_places_in_the_calendar(tmp_path: Path) -> None:
    hours = pd.date_range("2013-01-01", periods=500, freq="31h")
    source = write_csv(tmp_path / "t.csv", at=hours, day=hours.date, y=np.arange(500) / 3)
    data = load(source, target="y")
    assert data.preprocessing is not None
    assert str(data.preprocessing.inputs) == "2: 2 dates"
    assert data.input_shape == (1 + 2 * 4 + 1 + 2 * 3,)  # a day has no time
    new = pd.DataFrame({"at": [pd.Timestamp("2014-07-01 06:00"), None], "day": ["2014-07-01", ""]})
    new.loc[1, "day"] = None
    x = data.preprocessing.transform(new)
    # July is half a year on; the first; a Tuesday; a quarter of the day
    angles = np.array([1 / 2, 0, 1 / 7, 1 / 4]) * 2 * np.pi
    circles = np.stack([np.sin(angles), np.cos(angles)], 1).ravel()
    np.testing.assert_allclose(x[0, 1:9], circles, atol=1e-6)
    np.testing.assert_allclose(x[0, 10:], circles[:6], atol=1e-6)
    assert x[0, 0] > 1
    assert (x[1] == 0).all()


@pytest.mark.parametrize(
    "text", ["05:30", "2013-01-02T05:30:00Z", "2013/01/02 05:30", "02.01.2013 05:30"]
)
def test_other_ways_to_write_a_time(tmp_path: Path, text: str) -> None:
    rows = [text.replace("05:30", f"{i % 24:02}:30") for i in range(48)]
    data = load(write_csv(tmp_path / "t.csv", at=rows, y=[0, 1] * 24), target="y")
    assert data.preprocessing is not None
    assert isinstance(data.preprocessing.inputs, TableInputs)
    (column,) = data.preprocessing.inputs.columns
    assert isinstance(column, Date)
    assert column.cycles == ("time",)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ([10, 2, -1], ("-1", "2", "10")),
        ([1.0, 2.0, 3.0], ("1", "2", "3")),
        (["b", "a", "a"], ("a", "b")),
        ([True, False, True], ("False", "True")),
        ([0.5, 1.0, 2.0], ()),
        (list(range(20)), tuple(str(i) for i in range(20))),
        (list(range(21)), ()),
        (["2013-01-31", "2013-02-28", "2013-03-31"], ()),
    ],
)
def test_target_decides_the_task(
    tmp_path: Path, target: list[object], names: tuple[str, ...]
) -> None:
    y = target * (63 // len(target))
    data = load(write_csv(tmp_path / "t.csv", x=range(len(y)), y=y), target="y")
    assert data.class_names == names
    assert data.task == ("classification" if names else "regression")
    assert data.y_train.dtype == (np.int64 if names else np.float32)
    assert data.n_classes == (len(names) or 1)


@pytest.mark.parametrize("late", ["", "x", "1.5", "2020-01-01 05:00:00"])
def test_a_large_file_is_read_as_a_small_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """Even if only the last rows show the true type of a column."""
    first = [f"{i},2020-01-{i % 28 + 1:02},,a{i % 3},{i % 2}" for i in range(2000)]
    last = f"{late},{late},{late},{late},1"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["n,d,late,text,y", *first, last]) + "\n")
    monkeypatch.setattr(table_files, "_BLOCK", 5000)
    small, _ = read_table(path)
    monkeypatch.setattr(table_files, "LARGE", 0)
    large, _ = read_table(path)
    assert large.cast(small.schema).equals(small)  # texts may be in a dictionary


@pytest.mark.parametrize(("largest", "told"), [(1e9, True), (9.0, False)])
def test_a_value_of_the_target_that_decides_all_scores_is_said(
    tmp_path: Path, largest: float, told: bool
) -> None:
    y = [largest, *np.random.default_rng(0).normal(size=59)]
    pd.DataFrame({"x": [*range(30)] * 2, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    note = "y: the value 1e+09 alone makes up 100% of the variance: leave its row out if it is a "
    assert load(str(tmp_path / "t.csv"), target="y").notes == ((f"{note}mistake",) if told else ())


@pytest.mark.parametrize(("spread", "told"), [(2.0, True), (0.3, False)])
def test_a_target_of_which_few_values_decide_the_scores_is_said(
    tmp_path: Path, spread: float, told: bool
) -> None:
    y = np.random.default_rng(0).lognormal(sigma=spread, size=900)
    source = write_csv(tmp_path / "t.csv", x=[*range(30)] * 30, y=y)
    note = (
        "y: 1% of its values make up 82% of the variance, and so decide all scores but val_mae: "
        "its logarithm may be a better target"
    )
    assert load(source, target="y").notes == (note,) * told


def test_rows_without_a_target_are_dropped(tmp_path: Path) -> None:
    y = [np.nan, np.inf, *([1.0, 2.0] * 10)]
    source = write_csv(tmp_path / "t.csv", x=range(22), y=y)
    data, test = load(source, target="y"), load_test(source, target="y")
    assert len(data.x_train) + len(data.x_val) + len(test.x) == 20
    assert data.class_names == ("1", "2")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_without_a_date_to_predict_are_dropped(tmp_path: Path, suffix: str) -> None:
    days = pd.Series(pd.date_range("2013-01-01", periods=40, freq="31h"))
    days = days.where(days.index % 4 > 0)
    frame, path = pd.DataFrame({"x": range(40), "y": days}), tmp_path / f"t{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data, test = load(str(path), target="y"), load_test(str(path), target="y")
    assert len(data.x_train) + len(data.x_val) + len(test.x) == 30
    assert data.task == "regression"
    first, last = days.min().timestamp(), days.max().timestamp()
    assert first < data.target_mean < last
    assert 0 < data.target_std < last - first


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_duration_is_a_number_of_seconds_in_any_unit(tmp_path: Path, unit: str) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds = np.arange(1, 61) * 10**6  # up to two years
    counts = seconds * per_second + (unit == "ns")
    durations = pa.array(counts.astype(f"timedelta64[{unit}]"))
    table = pa.table({"x": durations, "z": range(60), "y": durations})
    pq.write_table(table, tmp_path / "t.parquet", version="2.6")
    data = load(str(tmp_path / "t.parquet"), target="y")
    assert data.task == "regression"
    assert seconds[0] < data.target_mean < seconds[-1]
    np.testing.assert_allclose(data.x_train[:, 0], data.x_train[:, 1], atol=1e-6)


def test_nan_is_a_missing_value_as_null_is() -> None:
    values = pa.array([1.0, 2.0, 1.0, 2.0, np.nan, None])
    assert fit_column("x", pa.chunked_array([values])).missing == 2 / 6
    assert fit_column("x", pa.chunked_array([values]), as_category=True).missing == 2 / 6
    nothing = pa.chunked_array([pa.array([np.nan, None])])
    assert fit_column("x", nothing, as_category=True) == LeftOut("x", "it has no value", 1.0)


def test_an_infinite_number_counts_as_missing() -> None:
    column = fit_column("x", pa.chunked_array([[1.0, 2.0, np.inf, None, np.nan, 1e39, 3.0, 3.0]]))
    assert isinstance(column, Number)
    assert column.missing == 0.5
    left_out = fit_column("x", pa.chunked_array([[np.inf, None]]))
    assert isinstance(left_out, LeftOut)
    assert left_out.missing == 1


def test_texts_that_a_file_has_as_views(tmp_path: Path) -> None:
    columns = {"colour": ["red", "blue", "red", None] * 10, "y": ["no", None, "yes", "no"] * 10}
    views = {name: pa.array(values, pa.string_view()) for name, values in columns.items()}
    raw = pa.array([b"raw"] * 40, pa.binary_view())
    pq.write_table(pa.table({**views, "raw": raw}), tmp_path / "views.parquet")
    pq.write_table(pa.table(columns), tmp_path / "texts.parquet")
    found = load(str(tmp_path / "views.parquet"), target="y", reading=Reading(drop=("raw",)))
    wanted = load(str(tmp_path / "texts.parquet"), target="y")
    np.testing.assert_array_equal(found.x_train, wanted.x_train)
    fitted = found.preprocessing
    assert fitted is not None
    assert fitted == wanted.preprocessing
    some = np.array([0, 3, 5])
    encoded = fitted.transform(pa.table(views), some)
    np.testing.assert_array_equal(encoded, fitted.transform(pa.table(columns), some))


def test_fingerprint_depends_on_content_and_target(tmp_path: Path) -> None:
    columns = {"a": np.arange(20) / 3, "b": np.arange(20) / 7}
    source, copy = (write_csv(tmp_path / f"{name}.csv", **columns) for name in ("t", "copy"))
    columns["a"][3] += 1
    changed = write_csv(tmp_path / "changed.csv", **columns)
    prints = [load(path, target="a").fingerprint for path in (source, copy, changed)]
    prints.append(load(source, target="b").fingerprint)
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert all(len(print_) == 64 for print_ in prints)


def table(**columns: object) -> Callable[[Path], str]:
    return lambda folder: write_csv(folder / "t.csv", **columns)


def file(name: str, content: bytes = b"") -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    return write


def twin_columns(folder: Path) -> str:
    pq.write_table(pa.table([TEN, TEN, TEN], names=["x", "x", "y"]), folder / "t.parquet")
    return str(folder / "t.parquet")


TEN = list(range(10))

UNUSABLE: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "zero bytes": (file("t.csv"), "y", "is empty"),
    "header only": (file("t.csv", b"x,y\n"), "y", "has no rows"),
    "not text": (file("t.csv", b"x,y\n\xff\xfe,1\n"), "y", "cannot be parsed as csv"),
    "ragged": (file("t.csv", b"x,y\n1,2\n1,2,3,4\n"), "y", "cannot be parsed as csv"),
    "row longer than header": (file("t.csv", b"x,y\n1,2,3\n"), "y", "cannot be parsed as csv"),
    "row of another length": (
        file("t.csv", b'x,y\n"a\nb",2\n\n1,2\n1,2,3\n' + b"1,2\n" * 20),
        "y",
        "parsed as csv: line 6 has 3 values, '1,2,3', but the header has 2, 'x,y'",
    ),
    "Latin-1": (
        file("t.csv", "x,y\nK\xf6ln,2\n".encode("latin-1")),
        "y",
        "t.csv' cannot be parsed as csv: column 'x' is not UTF-8 text: save it as UTF-8",
    ),
    "Latin-1 in the header": (
        file("t.csv", "K\xf6ln,y\n1,2\n".encode("latin-1")),
        "y",
        "t.csv' cannot be parsed as csv: it is not UTF-8 text: save it as UTF-8",
    ),
    "UTF-16": (file("t.csv", "x,y\n1,2\n".encode("utf-16")), "y", "UTF-16: save it as UTF-8"),
    "UTF-16 without a mark": (
        file("t.csv", "x,y\n1,2\n".encode("utf-16-be")),
        "y",
        "UTF-16: save it as UTF-8",
    ),
    "for Excel": (
        file("t.csv", b'"sep=;"\r\nx;y\r\n1;2\r\n'),
        "y",
        "has '\"sep=;\"' before its header: delete this line",
    ),
    "not parquet": (file("t.parquet", b"x,y\n1,2\n"), "y", "cannot be parsed as parquet"),
    "no such column": (
        table(**{f"c{i}": TEN for i in range(12)}),
        "y",
        "no column 'y': it has 'c0', .*'c9' and 2 more",
    ),
    "twin columns": (twin_columns, "y", "has more than one column 'x': rename them"),
    "only the target": (table(y=[0, 1] * 5), "y", "no feature columns besides the target 'y'"),
    "only empty features": (table(x=[None] * 10, y=TEN), "y", "no value in any column besides"),
    "few rows": (table(x=TEN[:9], y=TEN[:9]), "y", "9 rows with a value in target 'y'.* 10 are"),
    "few targets": (table(x=TEN, y=[None, *TEN[1:]]), "y", "has 9 rows with a value in target"),
    "one value": (table(x=TEN, y=[0.5] * 10), "y", "target 'y' has only the value 0.5"),
}


@pytest.mark.parametrize(("write", "target", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_table(
    tmp_path: Path, write: Callable[[Path], str], target: str, message: str
) -> None:
    source = write(tmp_path)
    for function in (load, load_test):
        with pytest.raises(ValueError, match=message) as caught:
            function(source, target=target)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("y", "kind"), [(["no", "yes"], "texts"), ([True, False], "truth values")])
def test_classes_are_no_quantity(tmp_path: Path, y: list[object], kind: str) -> None:
    source = write_csv(tmp_path / "t.csv", x=range(20), y=y * 10)
    with pytest.raises(
        ValueError, match=f"^`task` regression: target 'y' has {kind}, not numbers$"
    ):
        load(source, target="y", reading=Reading(task="regression"))


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        ("weight, in kg, dry;length", "1.5;2", ["weight, in kg, dry", "length"]),
        ("a, b;c", "1,5;2", ["a, b", "c"]),
        ("a;b;c,d", "1,2", ["a;b;c", "d"]),
        ("a|b\tc", "1\t2", ["a|b", "c"]),
        ("a;b", '"x;y";2', ["a", "b"]),
    ],
)
def test_the_separator_is_the_one_that_the_rows_have(
    tmp_path: Path, header: str, row: str, names: list[str]
) -> None:
    (tmp_path / "t.csv").write_text("\n".join([header, *[row] * 5]))
    found, _ = read_table(tmp_path / "t.csv")
    assert found.column_names == names


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zip"])
def test_no_more_is_read_than_fits_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """A few kilobytes may unpack to a hundred gigabytes."""
    content = "a,b\n" + "1,2\n" * 2_500_000
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv.gz":
        path.write_bytes(gzip.compress(content.encode()))
    elif suffix == ".csv.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("t.csv", content)
    else:
        path.write_text(content)
    assert len(read_table(path)[0]) == 2_500_000
    monkeypatch.setattr(table_files, "memory", lambda: 9e6)
    message = f"'{path}' holds more text than fits into the memory of this machine, 0.009 GB"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(path)
