"""The page of a run: only changed parts are made again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from pipelines.live import watched
from pipelines.live.folders import Listing
from pipelines.live.gone import Gone
from pipelines.live.pages import Pages
from pipelines.live.watched import Watched
from pipelines.record.baselines import write_baselines
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_study
from pipelines.record.live import Driver
from pipelines.results.findings import Findings
from tests.pipelines.live.standing import CONFIG, TRIAL, append, running, write
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import searched


def news(page: Watched, seen: int = 0) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(page.news(seen))
    return content


def with_news(content: dict[str, Any]) -> list[str]:
    return [section["id"] for section in content["sections"] if "html" in section]


def test_a_page_has_only_what_is_new(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    write(folder, running([0.7]))
    page = Watched(folder, clock=lambda: 0.0)
    first = news(page)
    assert with_news(first) == [section["id"] for section in first["sections"]]
    assert with_news(first)[0] == "now"
    assert first["trials"]["n"] == 2
    again = news(page, first["version"])
    assert with_news(again) == []
    assert "trials" not in again
    write(folder, running([0.7, 0.8]))
    second = news(page, first["version"])
    assert {"now", "curves"} <= set(with_news(second))
    assert not {"importance", "parameters", "outcome"} & set(with_news(second))
    assert second["trials"]["n"] == 2
    RunFiles(folder).live.unlink()
    last = news(page, second["version"])
    assert "now" not in [section["id"] for section in last["sections"]]
    assert last["trials"]["n"] == 1


def test_what_all_running_trials_share_is_above_their_table(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    other = replace(running([0.8], "s"), config={**CONFIG, "lr": 0.25})
    write(folder, running([0.7]), other)
    (section,) = (s for s in news(Watched(folder))["sections"] if s["id"] == "now")
    shared, _, rows = section["html"].partition("All have: ")[2].partition("<table")
    assert f"batch_size={CONFIG['batch_size']}" in shared
    assert "lr=" not in shared
    assert "lr=0.25" in rows
    assert "batch_size=" not in rows


def test_finished_trials_come_to_every_part(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", searched(39))
    page = Watched(folder)
    first = news(page)
    append(folder, searched(40)[-1])
    second = news(page, first["version"])
    assert {"outcome", "progress", "curves", "importance"} <= set(with_news(second))
    assert second["trials"]["n"] == 40


def test_a_journal_that_does_not_grow_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "it", searched(3))
    reads = []

    def counted(path: Path) -> optuna.Study:
        reads.append(path)
        return load_study(path)

    monkeypatch.setattr("pipelines.record.journal.load_study", counted)
    page = Watched(folder)
    for _ in range(3):
        assert news(page)["trials"]["n"] == 3
    assert len(reads) == 1
    for number in (4, 5):
        append(folder, searched(number)[-1])
        assert news(page)["trials"]["n"] == number
    assert len(reads) == 2


def test_quick_models_that_come_last_come_to_the_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL], trials=1)
    page = Watched(folder)
    first = news(page)
    write_baselines(RunFiles(folder).baselines, {"logistic regression": {"val_accuracy": 0.4}})
    second = news(page, first["version"])
    assert "outcome" in with_news(second)
    assert "logistic regression" in page.page("news")


def test_what_takes_long_rests_and_the_moment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    made_anew = []

    class Found(Findings):
        def __init__(self, run: Any) -> None:
            made_anew.append(clock.now)
            clock.now += 1.0  # to make a tier takes a second
            super().__init__(run)

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(watched, "Findings", Found)
    page = Watched(folder, clock)
    for second in range(100):
        clock.now = max(clock.now, second)
        write(folder, running([0.7] * (second + 1)), epochs=second)
        found = news(page)
        assert f">{second}, 0.5 a second<" in found["sections"][0]["html"]
    most = 1 + 100 // watched.REST + 1
    assert 2 < len(made_anew) <= most  # one tier is made at once; the other has no news


def test_the_state_says_whether_the_search_goes_on(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    page = Watched(folder)
    dead = replace(Driver.this(), started="0")
    now = time.time()
    for live, words in (
        ({}, "The search runs: 1 of 40 trials have finished, 1 runs."),
        ({"at": now - 5400}, "No news of it for 1 h 30 min"),
        ({"at": now - 90, "driver": dead}, "The search ended without a word at "),
        ({"phase": "repeats"}, "the best configs run again: 1 of 40"),
    ):
        write(folder, running([0.7]), **live)
        found = news(page)
        assert words in found["state"]
        over = "without a word" in words
        assert ("now" in [section["id"] for section in found["sections"]]) is not over


def test_the_table_says_as_of_when_it_is(tmp_path: Path) -> None:
    """The numbers under "Now" never rest, but the table does."""
    folder = write_run(tmp_path / "it", [TRIAL])
    at = time.time()
    write(folder, running([0.7]), at=at)
    page = Watched(folder)
    found = {section["id"]: section.get("html", "") for section in news(page)["sections"]}
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    assert f"The table is as of {clock}. The numbers under Now may be newer." in found["trials"]
    RunFiles(folder).live.unlink()
    found = {section["id"]: section.get("html", "") for section in news(page)["sections"]}
    assert "The table is as of" not in found["trials"]


def test_two_configs_are_not_both_called_the_best(tmp_path: Path) -> None:
    """If a trial that has ended is as good, the rest of the page says which of them is the best."""
    folder = write_run(tmp_path / "it", [TRIAL])
    for value, told in ((0.6, False), (0.7, True)):
        write(folder, running([value]), best=value, best_config={"lr": 0.25})
        assert ("Config of the best" in news(Watched(folder))["sections"][0]["html"]) is told


def test_the_best_of_the_ended_trials_is_not_called_the_best_of_all(tmp_path: Path) -> None:
    """A running trial may be better: its value is under "Now"."""
    folder = write_run(tmp_path / "it", [TRIAL])
    write(folder, running([0.7]), best=0.7)
    page = Watched(folder)
    found = {section["id"]: section.get("html", "") for section in news(page)["sections"]}
    assert "<dt>best val_accuracy</dt><dd>0.7000</dd>" in found["now"]
    assert "<dt>best val_accuracy, ended trials</dt><dd>0.6000</dd>" in found["outcome"]
    assert "The best of the trials that have ended is trial 0" in found["outcome"]
    RunFiles(folder).live.unlink()
    found = {section["id"]: section.get("html", "") for section in news(page)["sections"]}
    assert "<dt>best val_accuracy</dt><dd>0.6000</dd>" in found["outcome"]
    assert "The best is trial 0" in found["outcome"]


def test_repeats_are_counted_as_repeats_and_ask_for_no_suggestion(tmp_path: Path) -> None:
    """The trials under "What came out" are those of the search."""
    folder = write_run(tmp_path / "it", [TRIAL])
    for phase, boxes in (
        ("search", ["trials", "running", "epochs", "a suggestion takes", "time"]),
        ("repeats", ["repeats", "running", "epochs", "time"]),
    ):
        write(folder, running([0.7]), phase=phase, best=None, diverged=0, stopped=0)
        now = news(Watched(folder))["sections"][0]["html"]
        assert re.findall(r"<dt>([^<]*)</dt>", now) == boxes


def test_what_repeats_reach_is_not_the_best_of_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    again = replace(running([0.7]), repeat_of=TRIAL.trial_id, seed=1)
    write(folder, again, best=0.7, best_config={"lr": 0.25}, phase="repeats")
    now = news(Watched(folder))["sections"][0]["html"]
    assert "best val_accuracy" not in now
    assert "Config of the best" not in now
    (row,) = Listing(tmp_path).rows()
    assert row.best == "val_accuracy 0.6000"


@pytest.mark.parametrize(("n", "told"), [(0, True), (2, False)])
def test_that_no_trial_runs_is_not_said_beside_a_number_of_running_ones(
    tmp_path: Path, n: int, told: bool
) -> None:
    folder = write_run(tmp_path / "it", [TRIAL])
    write(folder, running=n)
    assert ("No trial is running." in news(Watched(folder))["sections"][0]["html"]) is told


def test_a_trial_that_runs_has_one_number_in_order_of_start(tmp_path: Path) -> None:
    """In all parts of the page. A trial whose end is already recorded does not count as running."""
    folder = write_run(tmp_path / "it", [TRIAL])
    late, early = replace(running([0.7], "late"), started=2e9), running([0.6], "early")
    write(folder, late, early, running([0.5], TRIAL.trial_id))
    found = news(Watched(folder))
    assert found["trials"]["ids"] == [TRIAL.trial_id, "early", "late"]
    now = found["sections"][0]["html"]
    assert re.findall(r"<tr><td>(\d*)</td><td>(\w+)</td>", now)[-2:] == [
        ("1", "early"),
        ("2", "late"),
    ]


def test_a_search_that_begins_is_no_cause_for_a_warning(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", max_epochs=1, ended=None)
    write(folder, running([0.7]), finished=0)
    sections = {
        section["id"]: section.get("html", "") for section in news(Watched(folder))["sections"]
    }
    assert "No trial has a value to compare yet." in sections["outcome"]
    assert 'class="warning"' not in "".join(sections.values())
    assert "at most 1 epoch a trial" in sections["outcome"]
    assert "The best in colour" in sections["curves"]
    assert sections["stopping"] == "<p>No trial has finished.</p>\n"
    assert "--resume" not in sections["again"]


def test_a_run_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    pages = Pages(lambda: [tmp_path])
    folder = write_run(tmp_path / "it", [TRIAL])
    assert json.loads(pages.run_news(f"{tmp_path.name}/it", 0))["trials"]["n"] == 1
    shutil.rmtree(folder)
    write_run(folder, [TRIAL, TRIAL, TRIAL])
    assert json.loads(pages.run_news(f"{tmp_path.name}/it", 0))["trials"]["n"] == 3


@pytest.mark.parametrize("is_open", [True, False])
def test_a_record_that_has_lost_trials_is_not_shown_as_if_it_were_whole(
    tmp_path: Path, is_open: bool
) -> None:
    trials = searched(4)
    folder = write_run(tmp_path / "it", trials)
    events = [f'{{"at":1.0,"ended":"{trial.trial_id}"}}\n' for trial in trials]
    RunFiles(folder).events.write_text("".join(events))
    journal, address = RunFiles(folder).journal, f"{tmp_path.name}/it"
    pages, whole = Pages(lambda: [tmp_path]), journal.read_bytes()
    if is_open:
        assert json.loads(pages.run_news(address, 0))["trials"]["n"] == 4
    for left, told in (
        (b"".join(whole.splitlines(keepends=True)[:-2]), "has 2 of 4 ended trials"),
        (b"", "has 0 of 4 ended trials"),
    ):
        journal.write_bytes(left)
        with pytest.raises(Gone, match=told):
            pages.run_news(address, 0)
    journal.write_bytes(whole)
    assert json.loads(pages.run_news(address, 0))["trials"]["n"] == 4


def test_what_came_out_is_as_new_as_the_numbers_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table and the figures rest after they took long. It does not, and counts what it says
    under "Now"."""
    folder, seconds = write_run(tmp_path / "it", [TRIAL]), [0.0]

    def slow_table(found: Findings) -> dict[str, Any]:
        seconds[0] += 1.0
        return {"n": len(found.shown)}

    monkeypatch.setattr(watched, "table_of", slow_table)
    write(folder, running([0.7]))
    page = Watched(folder, clock=lambda: seconds[0])
    last_is_better = replace(TRIAL, trial_id="c", value=0.8)  # it was resumed: another entry
    for n, trial in ((1, None), (2, replace(TRIAL, trial_id="c")), (2, last_is_better)):
        if trial is not None:
            append(folder, trial)
        found = news(page)
        (outcome,) = (s["html"] for s in found["sections"] if s["id"] == "outcome")
        assert f"<dt>trials</dt><dd>{n}</dd>" in outcome
        assert found["trials"]["n"] == 2  # it rests
    assert "0.8000" in outcome


def test_what_the_first_figures_import_is_no_part_of_their_time(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", searched(30))
    code = (
        "import sys; from pathlib import Path; from pipelines.live.watched import Watched\n"
        f"page = Watched(Path({str(folder)!r})); before = set(sys.modules); page.news(0)\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*new & {'pandas', 'scipy', 'sklearn'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
