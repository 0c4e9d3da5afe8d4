"""A search goes on with what a damaged record still has, or says what is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.report import print_report
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from tests.pipelines.study.small_search import decisions, lines_of, recorded, study
from tests.pipelines.study.without_ray import going_on, search, search_until, without_ray

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")


def test_a_torn_line_costs_that_trial_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (study(tmp_path / name, trials=8) for name in ("whole", "cut"))
    search(whole)
    expected = decisions(recorded(whole))
    for name in ("journal", "events"):
        assert search_until(cut, monkeypatch, lines_of(whole) - 10)
        before = len(recorded(cut))
        path = getattr(RunFiles(cut.folder), name)
        path.write_bytes(path.read_bytes()[:-7])
        assert len(recorded(cut)) == before - (name == "journal")
        search(going_on(cut))
        trials = decisions(recorded(cut))
        assert sorted(map(str, trials)) == sorted(map(str, expected))
        shutil.rmtree(cut.folder)


def first_line_only(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def without_first_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "has 0 of 8 ended trials: restore it"),
        (lambda path: os.truncate(path, 0), "has 0 of 8 ended trials: restore it"),
        (first_line_only, "has 0 of 8 ended trials: restore it"),
        (without_first_line, "has lost its first line: restore it"),
    ],
    ids=["deleted", "emptied", "without trials", "without its first line"],
)
def test_a_journal_that_has_lost_trials_is_refused_and_the_table_is_kept(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    whole = study(tmp_path / "whole", trials=8)
    search(whole)
    files = RunFiles(whole.folder)
    print_report(files.folder, 1, None, plot_schedule=False)
    table = files.table.read_bytes()
    damage(files.journal)
    with pytest.raises(ValueError, match=says):
        going_on(whole)
    with pytest.raises(ValueError, match=says):
        print_report(files.folder, 1, None, plot_schedule=False)
    assert files.table.read_bytes() == table


def test_trials_that_ended_twice_are_not_lost(tmp_path: Path) -> None:
    """A torn line of the journal is trained again, and ends again."""
    whole = study(tmp_path / "whole", trials=3)
    search(whole)
    files = RunFiles(whole.folder)
    ends = [line for line in files.events.read_bytes().splitlines(True) if b'"ended"' in line]
    assert len(ends) == 3
    with files.events.open("ab") as events:
        events.writelines(ends)
    assert len(load_journal(files.journal)) == 3


def test_the_trials_that_a_damaged_journal_still_has_go_on_without_its_events(
    tmp_path: Path,
) -> None:
    whole = study(tmp_path / "whole", trials=8)
    search(whole)
    files = RunFiles(whole.folder)
    files.journal.write_bytes(b"".join(files.journal.read_bytes().splitlines(True)[:4]))
    with pytest.raises(ValueError, match=r"or delete events\.jsonl to do without the others"):
        going_on(whole)
    files.events.unlink()
    search(going_on(whole))
    assert len(recorded(whole)) == 8
