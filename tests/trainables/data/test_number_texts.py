"""Columns of texts that are numbers, or look like them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainables.data import table_files, table_streams
from trainables.data.column_files import column_from_dict, column_to_dict
from trainables.data.columns import Category, Number
from trainables.data.datasets import TrialData, load
from trainables.data.doubts import told_of_counters
from trainables.data.number_texts import with_numbers
from trainables.data.reading import AS_IT_LOOKS, Reading
from trainables.data.table_inputs import TableInputs

N = 60


def loaded(
    folder: Path, values: list[str], separator: str = ",", reading: Reading = AS_IT_LOOKS
) -> TrialData:
    """A file with a column ``x`` that repeats ``values``, and a column with decimal points."""
    rows = [f'"{values[i % len(values)]}"{separator}{i}.5' for i in range(N)]
    rows = [f"{row}{separator}c{i % 13 % 2}" for i, row in enumerate(rows)]
    lines = [f"x{separator}p{separator}y", *rows]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return load(str(folder / "t.csv"), target="y", reading=reading)


def inputs_of(data: TrialData) -> TableInputs:
    assert data.preprocessing is not None
    assert isinstance(data.preprocessing.inputs, TableInputs)
    return data.preprocessing.inputs


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize(
    ("values", "lowest", "highest", "told"),
    [
        (["1", "2", "3", "5.5", "?"], 1, 5.5, "x: '?' among numbers counts as missing"),
        (["1", " - ", "-3"], -3, 1, "x: '-' among numbers counts as missing"),
        (["1", " ", "-3"], -3, 1, "x: a blank among numbers counts as missing"),
        (["-1,50", "2,25", "7"], -1.5, 7, "x: the comma is a decimal mark, as in '-1,50'"),
        (["0,125", "2,250"], 0.125, 2.25, "x: the comma is a decimal mark, as in '0,125'"),
    ],
)
def test_numbers_among_other_columns(
    tmp_path: Path, separator: str, values: list[str], lowest: float, highest: float, told: str
) -> None:
    data = loaded(tmp_path, values, separator)
    x = inputs_of(data).columns[0]
    assert isinstance(x, Number)
    assert x.ends == (lowest, highest)
    assert data.notes == (told,)


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["$12.50", "$3.75", "$1.99"], "'$12.50' is not a number"),
        (["1,234.50", "999.00", "2.50"], "'1,234.50' is not a number"),
        (["1,234", "5,678"], "'1,234' is not a number"),
        (["1.234,50", "2.345,60"], "'1.234,50' is not a number"),
        (["12.3%", "?", "4.5 %"], "'12.3%' is not a number"),
        ([*(str(i) for i in range(20)), "n/k"], "'n/k' is not a number"),
        (["01/02/2013", "12/31/2014"], "'01/02/2013' is not a date"),
        (["1/2/13 05:30", "12/31/14 05:30"], "'1/2/13 05:30' is not a date"),
        (["2 Jan 2013", "31 March 2014"], "'2 Jan 2013' is not a date"),
        (["Jan 2, 2013", "Mar. 31, 2014"], "'Jan 2, 2013' is not a date"),
        ([*(f"2013-01-{i}" for i in range(10, 31)), "soon"], "'soon' is not a date"),
    ],
)
def test_what_looks_like_numbers_or_dates_is_said(
    tmp_path: Path, values: list[str], odd: str
) -> None:
    data = loaded(tmp_path, values)
    assert not isinstance(inputs_of(data).columns[0], Number)
    (note,) = data.notes
    assert f"x: read as text: {odd}" in note
    assert loaded(tmp_path, values, reading=Reading(drop=("x",))).notes == ()
    assert loaded(tmp_path, values, reading=Reading(category=("x",))).notes == ()


@pytest.mark.parametrize(
    "values",
    [["?", "-"], ["a", "?", "1"], ["red", "blue"], ["10-20", "30+"], ["10.0.0.1", "1.2.3"]],
)
def test_other_texts_stay_texts(tmp_path: Path, values: list[str]) -> None:
    data = loaded(tmp_path, values)
    assert isinstance(inputs_of(data).columns[0], Category)
    assert data.notes == ()


def test_a_category_keeps_its_marks(tmp_path: Path) -> None:
    data = loaded(tmp_path, ["1", "2", "?"], reading=Reading(category=("x",)))
    x = inputs_of(data).columns[0]
    assert isinstance(x, Category)
    assert x.values == ("1", "2", "?")


def test_many_columns_are_said_in_a_line(tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(9)]
    lines = [",".join([*names, "y"]), *[",".join(["1" if i else "?"] * 9 + ["1"]) for i in (0, 1)]]
    lines += [",".join([str(i)] * 9 + [str(i % 2)]) for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    (note,) = load(str(tmp_path / "t.csv"), target="y").notes
    assert note.startswith("x0, x1, x2, x3, x4 and 4 more: '?'")


def test_rows_without_a_target_are_said(tmp_path: Path) -> None:
    rows = [f"{i},{'' if i % 4 == 0 else i % 2}" for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]))
    data = load(str(tmp_path / "t.csv"), target="y")
    assert "15 of 60 rows have no y: left out" in data.notes


@pytest.mark.parametrize("rows_at_once", [1 << 21, 60])
def test_a_class_whose_name_means_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(table_streams, "_BLOCK", rows_at_once)
    classes = ["None", "Mild", "", "Severe", "None", '"NA"']
    rows = [f"{i}.5,{classes[i % 6]}" for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]))
    assert load(str(tmp_path / "t.csv"), target="y").notes == (
        "20 of 60 rows have 'None' as y, which counts as missing: left out; rename it to keep it "
        "as a class",
        "10 of 60 rows have 'NA' as y, which counts as missing: left out; rename it to keep it "
        "as a class",
        "10 of 60 rows have no y: left out",
    )


def test_an_infinite_target_is_said(tmp_path: Path) -> None:
    ends = ["inf", "-inf", "", "1e39"]
    rows = [f"{i % 9}.5,{ends[i] if i < 4 else f'{i}.25'}" for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]))
    assert load(str(tmp_path / "t.csv"), target="y").notes == (
        "3 of 60 rows have a y that is infinite, or beyond 3.4e+38: left out",
        "1 of 60 rows have no y: left out",
    )


@pytest.mark.parametrize(("name", "typed"), [("", "''"), ("row nr", "'row nr'"), ("year", "year")])
def test_a_column_that_counts_the_rows_is_said(tmp_path: Path, name: str, typed: str) -> None:
    path = tmp_path / "t.csv"

    def noted(first: int, step: int = 1, reading: Reading = AS_IT_LOOKS) -> tuple[str, ...]:
        rows = [f"{first + step * i},{i % 7},c{i % 2}" for i in range(N)]
        rows[5] = rows[5][:-2]  # a row that is left out counts too
        path.write_text("\n".join([f"{name},x,y", *rows]))
        return load(str(path), target="y", reading=reading).notes[1:]

    told = f"{typed}: rises by 1 from row to row: --drop {typed} if it only counts the rows"
    assert noted(0) == noted(1950) == (told,)
    other = f"{typed}: different in every row: --drop {typed} if it only names the rows"
    assert noted(0, 2) == noted(0, -1) == ((other,) if name == "" else ())
    assert noted(0, reading=Reading(drop=(name,))) == ()
    assert noted(0, reading=Reading(category=(name,))) == ()


def test_only_whole_numbers_in_the_order_of_the_rows_count_them() -> None:
    def told(*pieces: list[float | None], kind: str = "int64") -> bool:
        column = pa.chunked_array([pa.array(piece, kind) for piece in pieces])
        return bool(list(told_of_counters(pa.table({"x": column}))))

    assert told([3, 4], [], [5, 6])
    assert not told([3, 4], [6, 5, 7])
    assert not told([3, 4], [4, 6])
    assert not told([3, None], [5, 6])
    assert not told([0.5, 1.5], [2.5], kind="float64")
    assert told([2**64 - 2], [2**64 - 1], kind="uint64")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "user_id", "PassengerId", "PID", "index"])
def test_a_column_that_names_the_rows_is_said(name: str) -> None:
    """Such as an index of shuffled rows, which gives the answer away if they were sorted before."""

    def noted(name: str, values: list[int | None]) -> list[str]:
        return list(told_of_counters(pa.table({name: pa.array(values, "int64")})))

    (note,) = noted(name, [7, 3, 900])
    assert "different in every row: --drop " in note
    assert noted(name, [7, 3, 7]) == noted(name, [7, 3, None]) == []
    assert noted("paid", [7, 3, 900]) == noted("humid", [7, 3, 900]) == []


def test_whole_numbers_that_are_rounded_are_said() -> None:
    def noted(*values: int | None) -> list[str]:
        return list(told_of_counters(pa.table({"x": pa.array(values, "int64")})))

    (note,) = noted(2**53 + 2, 5, None)
    assert note.endswith("rounded to 16 digits: --drop x, or --category x if they are names")
    assert noted(-(2**63), 5) == [note]
    assert noted(2**53, 5, None) == noted(None, None) == []


def test_texts_of_a_parquet_file_stay_what_they_are(tmp_path: Path) -> None:
    columns = {"zip": ["1", "2", "?"] * 20, "y": [0, 1] * 30}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    data = load(str(tmp_path / "t.parquet"), target="y")
    assert isinstance(inputs_of(data).columns[0], Category)


def test_numbers_and_dates_that_a_parquet_file_stores_as_texts_are_said(tmp_path: Path) -> None:
    columns = {
        "amount": ["?", *(f"{i}.413" for i in range(1, N))],
        "rate": [f"{i % 5}" for i in range(N)],
        "at": [f"2013-01-{10 + i % 20}" for i in range(N)],
        "colour": ["red", "blue"] * (N // 2),
        "y": ["yes", "no", "no"] * (N // 3),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")

    def noted(reading: Reading = AS_IT_LOOKS) -> tuple[str, ...]:
        return load(str(tmp_path / "t.parquet"), target="y", reading=reading).notes

    assert noted() == (
        "amount, rate: texts that look like numbers, such as '1.413': store them as numbers if "
        "they are",
        "at: texts that look like dates, such as '2013-01-10': store them as dates if they are",
    )
    assert noted(Reading(drop=("amount", "at"), category=("rate",))) == ()


def test_a_csv_file_cannot_store_texts_as_dates(tmp_path: Path) -> None:
    rows = [f"2013-01-{10 + i % 20} 5:30 PM,{i % 3}" for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["at,y", *rows]))
    (note,) = load(str(tmp_path / "t.csv"), target="y").notes
    assert "store" not in note
    assert note.startswith(
        "at: read as text: '2013-01-10 5:30 PM' is not a date such as 2013-01-31"
    )


@pytest.mark.parametrize(
    ("values", "separator", "told"),
    [
        (["10.278", "1.050", "950"], ";", "as in '10.278': leave it out of the file if it"),
        (["10.278", "-1.050", ""], "\t", "as in '10.278'"),
        (["10.278", "1.05", "950"], ";", None),
        (["0.278", "1.050", "950"], ";", None),
        (["10.278", "1.050", "950"], ",", None),
        (["10", "9", "950"], ";", None),
    ],
)
def test_points_that_may_separate_thousands_are_said(
    tmp_path: Path, values: list[str], separator: str, told: str | None
) -> None:
    notes = loaded(tmp_path, values, separator).notes
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]
    known = Reading(category=("x",))
    assert loaded(tmp_path, values, separator, known).notes == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["00501", "10115", ""], True),
        (["0530", "1745"], True),
        (["01", "12"], False),
        (["501", "10115"], False),
        (["000", "1", "20"], False),
        (["0.501", "1.011"], False),
    ],
)
def test_numbers_that_are_written_as_codes_are_said(
    tmp_path: Path, values: list[str], told: bool
) -> None:
    note = f"x: numbers such as {values[0]}: --category x if they are codes"
    assert loaded(tmp_path, values).notes == ((note,) if told else ())
    assert loaded(tmp_path, values, reading=Reading(category=("x",))).notes == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["20130131", "20131231", "", "20120229"], True),
        (["20130131", "20130229"], False),  # no day of that year
        (["2013", "2014"], False),
        (["20130131.5", "20131231"], False),
    ],
)
def test_numbers_that_are_days_are_said(tmp_path: Path, values: list[str], told: bool) -> None:
    note = "x: numbers such as 20130131: write them as dates such as 2013-01-31 if they are"
    assert loaded(tmp_path, values).notes == ((note,) if told else ())
    assert loaded(tmp_path, values, reading=Reading(drop=("x",))).notes == ()


def test_a_row_without_a_target_may_be_what_makes_a_column_text(tmp_path: Path) -> None:
    rows = [f"{i % 9}.5,{i % 2}" for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows, "Total,"]))
    assert load(str(tmp_path / "t.csv"), target="y").notes == (
        "1 of 61 rows have no y: left out",
        "x: read as text: 'Total' is not a number such as -1234.5",
    )


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["1.5", "2.5", "n.a."], "'n.a.' is not a number"),
        (["1.5", "\u22122.5", "0.5"], "'\u22122.5' is not a number"),
        (["2013-01-31", "2013-02-28", "never"], "'never' is not a date"),
        (["2013-01-31", "2013-02-28", "-"], "'-' is not a date"),
        (["12:30", " ", "17:45"], "' ' is not a date"),
        (["12:30", "5:30", "17:45"], "'5:30' is not a date such as 2013-01-31 or 05:30"),
        (["5:30 PM", "6:30 am", "7:45 AM"], "'5:30 PM' is not a date"),
        (["2013-01", "2013-02", "2013-12"], "'2013-01' is not a date"),
        (["1.5", "n.a.", "unknown"], None),
        (["12.5 kg", "3 kg", "-1 kg"], "'12.5 kg' is not a number"),
        (["36km/h", "", "7km/h"], "'36km/h' is not a number"),
        (["1st", "2nd", "4th"], None),
        (["'1.5'", "'2'"], "\"'1.5'\" is not a number"),
        (["2013-01-31 05:30", "2013-01-31 05:30Z"], "dates of more than one form"),
        (["1234-56", "1234-57", "1234-58"], None),
    ],
)
def test_what_makes_a_column_text_is_said(
    tmp_path: Path, values: list[str], odd: str | None
) -> None:
    notes = loaded(tmp_path, values).notes
    assert len(notes) == (odd is not None)
    assert odd is None or odd in notes[0]


def test_a_large_file_has_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = ["1,5", "?", "2,25"]
    small = loaded(tmp_path, values)
    monkeypatch.setattr(table_files, "LARGE", 0)
    monkeypatch.setattr(table_files, "_BLOCK", 100)
    large = loaded(tmp_path, values)
    np.testing.assert_array_equal(large.x_train, small.x_train)
    assert large.notes == small.notes


def test_every_piece_of_a_column_counts() -> None:
    pieces = [pa.array(["1", "2"]), pa.array(["?", None]), pa.array(["3", "4"])]
    table, (converted,), decimals = with_numbers(pa.table({"x": pa.chunked_array(pieces)}), ".")
    assert table.column("x").to_pylist() == [1, 2, None, None, 3, 4]
    assert converted.mark == "?"
    assert decimals == {"x": "."}
    spoilt = pa.chunked_array([*pieces, pa.array(["a"] + ["1"] * 2000)])
    table, found, decimals = with_numbers(pa.table({"x": spoilt}), ".")
    assert not found
    assert not decimals
    assert table.column("x").equals(spoilt)


def test_a_file_with_decimal_commas_has_them_in_all_its_numbers() -> None:
    numbers = {"k": [1, 2], "x": [1.5, 2.5], "t": ["1,5", "?"]}
    columns = {**numbers, "zip": ["1,5", "2"], "c": ["a", "b"]}
    table, _, decimals = with_numbers(pa.table(columns), ",", ["zip"])
    assert table.column_names == list(columns)
    assert decimals == dict.fromkeys(numbers, ",")


def test_a_number_of_texts_is_kept(tmp_path: Path) -> None:
    x = inputs_of(loaded(tmp_path, ["1,5", "?", "2,25"])).columns[0]
    assert isinstance(x, Number)
    assert x.decimal == ","
    assert column_from_dict(column_to_dict(x)) == x
    before = {key: value for key, value in column_to_dict(x).items() if key != "decimal"}
    old = column_from_dict(before)
    assert isinstance(old, Number)
    assert old.decimal is None
    with pytest.raises(ValueError, match="has"):
        column_from_dict({**before, "decimal": "x"})


def test_a_file_that_is_read_anew_has_another_fingerprint(tmp_path: Path) -> None:
    """An older search has read the column as text, and cannot be resumed with numbers."""
    found = loaded(tmp_path, ["1", "2", "?"])
    before = hashlib.sha256((tmp_path / "t.csv").read_bytes() + b"\0target\0y").hexdigest()
    assert found.fingerprint != before
    found = loaded(tmp_path, ["1", "2", "3"])
    before = hashlib.sha256((tmp_path / "t.csv").read_bytes() + b"\0target\0y").hexdigest()
    assert found.fingerprint == before


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("list", pa.scalar([1, 2])),
        ("struct", pa.scalar({"a": 1})),
        ("binary", pa.scalar(b"raw")),
        ("extension<arrow.uuid", pa.scalar(bytes(16), pa.uuid())),
        ("extension<arrow.json", pa.scalar("{}", pa.json_())),
    ],
)
def test_what_no_network_takes_can_be_dropped(tmp_path: Path, kind: str, value: pa.Scalar) -> None:
    columns = {"odd": pa.repeat(value, 40), "x": range(40), "y": [0, 1] * 20}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=f"'odd' has the type {kind}.*: `drop` odd leaves it"):
        load(str(tmp_path / "t.parquet"), target="y")
    load(str(tmp_path / "t.parquet"), target="y", reading=Reading(drop=("odd",)))


def test_a_target_of_texts_that_are_numbers_is_said(tmp_path: Path) -> None:
    rows = [f'{i},"-{i + 1},{i + 100}.68"' for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]))
    with pytest.raises(ValueError, match=r"target 'y' was read as texts such as '-\d+,\d+.68'"):
        load(str(tmp_path / "t.csv"), target="y")


def test_a_target_of_numbers_that_are_stored_as_texts_is_said(tmp_path: Path) -> None:
    columns = {"x": [i % 7 for i in range(N)], "y": [f"{i}.413" for i in range(N)]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    told = r"target 'y' was read as texts such as '\d+.413', .*: store them as numbers if they are"
    with pytest.raises(ValueError, match=told):
        load(str(tmp_path / "t.parquet"), target="y")
    columns["y"] = [i + 0.413 for i in range(N)]
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"class '\d+.413' has 1 sample: every class needs"):
        load(str(tmp_path / "t.parquet"), target="y", reading=Reading(task="classification"))
