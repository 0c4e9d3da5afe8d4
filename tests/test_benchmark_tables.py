import re
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.harness import HERE


def test_every_table_in_the_results_has_a_benchmark_that_writes_it() -> None:
    places = re.findall(r"<!-- table (\S+) -->\n\|", tables.RESULTS.read_text())
    assert places
    assert set(places) <= set(tables.BENCHMARKS)


def test_every_script_has_a_short_form() -> None:
    scripts = {path.stem for path in HERE.glob("*.py")} - {"harness", "tables"}
    assert {b.script for b in tables.BENCHMARKS.values() if b.short is not None} == scripts


def test_a_table_is_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results.md"
    results.write_text(
        "a\n<!-- table one -->\n| old |\n<!-- end -->\nb\n<!-- table two -->\n| x |\n"
    )
    monkeypatch.setattr(tables, "RESULTS", results)
    tables.write("one", "said before\n| new |\n| --- |\nafter\n")
    tables.write("none", "| lost |\n")
    assert results.read_text() == (
        "a\n<!-- table one -->\n| new |\n| --- |\n<!-- end -->\nb\n<!-- table two -->\n| x |\n"
    )


def test_a_benchmark_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main("nothing") == 2
    assert "'nothing'" in capsys.readouterr().err
