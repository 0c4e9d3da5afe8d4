import re
import shlex
from pathlib import Path

import pytest

from benchmarks import chaos, search_process, tables
from benchmarks.harness import HERE


def test_every_table_in_the_results_has_a_benchmark_that_writes_it() -> None:
    text = "".join(page.read_text() for page in tables.pages())
    places = re.findall(r"<!-- table (\S+) -->\n\|", text)
    assert places
    assert set(places) <= set(tables.BENCHMARKS)
    assert len(places) == len(set(places))


def words(name: str) -> list[str]:
    """The words of a benchmark's command."""
    chosen = tables.BENCHMARKS[name]
    return shlex.split(f"python -m benchmarks.{chosen.script} {chosen.options}")


def test_the_command_above_a_table_is_the_one_that_writes_it() -> None:
    places = 0
    for page in tables.pages():
        above: list[str] = []
        for line in page.read_text().replace("\\\n", " ").splitlines():
            if line.startswith("    python -m benchmarks."):
                above = shlex.split(line)
            elif found := re.fullmatch(r"<!-- table (\S+) -->", line):
                places += 1
                assert above == words(found[1])
    assert places > 10


def test_what_has_no_table_has_its_command_in_the_results() -> None:
    text = "".join(page.read_text() for page in tables.pages())
    lines = text.replace("\\\n", " ").splitlines()
    printed = [shlex.split(line) for line in lines if line.startswith("    python -m benchmarks.")]
    assert [name for name in tables.BENCHMARKS if words(name) not in printed] == []


def test_every_script_has_a_short_form() -> None:
    scripts = {path.stem for path in HERE.glob("*.py")} - {
        *("harness", "nothing", "results_file", "search_process", "tables")
    }
    assert {b.script for b in tables.BENCHMARKS.values() if b.short is not None} == scripts


def test_a_table_is_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results.md"
    results.write_text("the front page\n")
    page = tmp_path / "results" / "speed.md"
    page.parent.mkdir()
    page.write_text("a\n<!-- table one -->\n| old |\n<!-- end -->\nb\n<!-- table two -->\n| x |\n")
    monkeypatch.setattr(tables, "RESULTS", results)
    tables.write("one", "said before\n| new |\n| --- |\nafter\n")
    tables.write("none", "| lost |\n")
    assert results.read_text() == "the front page\n"
    assert page.read_text() == (
        "a\n<!-- table one -->\n| new |\n| --- |\n<!-- end -->\nb\n<!-- table two -->\n| x |\n"
    )


def test_a_search_that_prints_a_lot_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is larger than a pipe can hold."""
    script = tmp_path / "pipelines" / "run.py"
    script.parent.mkdir()
    script.write_text("print('begun');print('x' * 200_000)")
    monkeypatch.setattr(search_process, "HERE", tmp_path / "benchmarks")
    search = search_process.Search(tmp_path)
    search.until("begun")
    ended = search.end()
    assert ended.code == 0
    assert ended.printed == "x" * 200_000 + "\n"
    assert ended.gone is not None


def test_a_fault_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main("nothing") == 2
    assert "no fault 'nothing': there are kill-driver" in capsys.readouterr().err


def test_a_benchmark_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main("nothing") == 2
    assert "'nothing'" in capsys.readouterr().err
