"""``report.html`` and ``report.py``: for one run, for several, and for other folders."""

from __future__ import annotations

import errno
import json
import re
import sys
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines import report
from pipelines.cli.command import USAGE, main
from pipelines.cli.report import report_line
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.lock import holding
from pipelines.record.looks import Look
from pipelines.record.sessions import working
from pipelines.record.trials import REQUIREMENT, State
from pipelines.record.writing import Record
from pipelines.results.comparison_page import comparison_page
from pipelines.results.endings import unfinished
from pipelines.results.figures.tested import confusion_figure, residuals_figure
from pipelines.results.page.model import Table, Words
from pipelines.results.report import write_report
from pipelines.study.runs import Run, open_run
from search_spaces import SPACES
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import CUT_SHORT, made, searched

TRIAL = made([0.5, 0.6], config=LENET)


def test_a_report_is_written_and_the_terminal_says_where(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(elsewhere / "runs" / "it", searched(40), max_epochs=3)
    assert main(report.app, ["runs/it"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "report    runs/it/report.html"
    assert "mattered  lr " in shown
    assert "epoch 3 of 3, trained to the end: " in shown
    text = (folder / "report.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("plotly.js v") == 1
    assert "for a spreadsheet: runs/it/trials.csv." in text
    assert sorted(path.name for path in folder.iterdir() if "part" in path.name) == []


def test_a_search_is_not_failed_by_its_report(elsewhere: Path) -> None:
    folder = write_run(elsewhere / "it", [TRIAL])
    assert report_line(folder) == "report    it/report.html"
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    assert report_line(folder).startswith("report    none: '")
    assert [path.name for path in folder.iterdir() if "part" in path.name] == []


def test_classes_with_long_names_stay_apart() -> None:
    names = [f"{'a' * 30}{n}{'b' * 30}" for n in range(2)]
    look = Look(0.0, (0,), (), (1,), (1,), 4, 4, {}, confusion=[[3.0, 1.0], [0.0, 2.0]])
    (drawn,) = confusion_figure(look, names).data
    assert len(set(drawn.x)) == len(set(drawn.y)) == 2


def test_errors_are_what_is_coloured_in_a_confusion_matrix() -> None:
    look = Look(0.0, (0,), (), (1,), (1,), 72, 72, {}, confusion=[[35.0, 1.0], [0.0, 36.0]])
    figure = confusion_figure(look, ["a", "b"])
    (drawn,) = figure.data
    (right, wrong), (none, all_right) = drawn.z
    assert right == none == all_right == 0
    assert wrong == 1 / 36
    assert [colour.endswith(",0)") for _, colour in drawn.colorscale] == [True, False, False]
    assert drawn.colorscale[1][0] < wrong, "a single error can be seen"
    assert drawn.text[0][1] == "1"
    assert drawn.hovertext[0][1] == "a predicted as b: 1 sample, 2.8%"
    assert figure.layout.yaxis.title.text == "true class"


def test_large_counts_of_a_confusion_matrix_are_whole_numbers() -> None:
    look = Look(0.0, (0,), (), (1,), (1,), 9, 9, {}, confusion=[[1028.0, 12345.5], [0.0, 12.25]])
    (drawn,) = confusion_figure(look, ["a", "b"]).data
    assert [list(row) for row in drawn.text] == [["1,028", "12,346"], ["", "12.2"]]


def test_the_errors_of_a_regression_are_against_the_column_that_is_predicted() -> None:
    pairs = ((1.0, 2.0), (3.0, 3.5))
    look = Look(0.0, (0,), (), (1,), (1,), 4, 2, {}, predicted=pairs)
    figure = residuals_figure(look, "price <EUR>")
    assert figure.layout.xaxis.title.text == "target: price &lt;EUR&gt;"
    assert figure.data[0].y.tolist() == [1.0, 0.5]
    assert residuals_figure(look).layout.xaxis.title.text == "target"


def test_a_bug_in_a_report_is_told_with_its_class(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run) -> Path:
        raise KeyError("x")

    folder = write_run(elsewhere / "it", [TRIAL])
    monkeypatch.setattr("pipelines.results.report.write_report", fail)
    assert report_line(folder) == "report    none: KeyError: 'x'"


def test_a_full_disk_keeps_no_part_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(part: Path, *text: str, **more: str) -> int:
        part.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    run = open_run(write_run(tmp_path / "it", [TRIAL]))
    before = sorted(run.files.folder.iterdir())
    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(ValueError, match=r"report\.html' cannot be written: No space left on"):
        write_report(run)
    assert sorted(run.files.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no run in it: there is no such folder"),
        ("{", "it/spec.json cannot be read"),
        (json.dumps({"format": 99}), "it/spec.json has format 99, of a newer version"),
    ],
)
def test_what_is_no_run_is_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    if content is not None:
        Path("it").mkdir()
        Path("it/spec.json").write_text(content)
    other = write_run(elsewhere / "other", [TRIAL])
    for arguments in (["it"], ["it", str(other)], [str(other), "it"]):
        assert main(report.app, arguments) == USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_a_name_that_a_terminal_cannot_show_is_escaped(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "Жук").mkdir()
    write_run(elsewhere / "Жук/it", [TRIAL])
    shown = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(shown, encoding="latin-1"))
    assert main(report.app, ["Жук/it"]) == 0
    assert b"report    \\u0416\\u0443\\u043a/it/report.html" in shown.getvalue()


def test_a_run_that_another_user_hides_is_one_line(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    write_run(elsewhere / "it", [TRIAL])
    monkeypatch.setattr(Path, "is_file", refuse)
    assert main(report.app, ["it"]) == USAGE
    assert capsys.readouterr().err == "error: it/spec.json: Permission denied\n"


def test_a_record_that_was_cut_short_has_a_report(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(elsewhere / "it", [TRIAL, TRIAL], ended=None)
    journal = folder / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert main(report.app, ["it"]) == 0
    told = "The search is not complete: 1 of at most 40 trials have ended. Its driver was killed."
    assert told in (folder / "report.html").read_text()
    out = capsys.readouterr().out
    assert "state     The search is not complete" in out
    assert "--resume it" in out


@pytest.mark.parametrize(
    ("settings", "onward"),
    [
        (
            {"algo": "random", "scheduler": "hyperband"},
            "not possible with scheduler=hyperband: a new search learns from its trials with "
            "--seed-from it",
        ),
        (
            {"model": "mlp", "trainable": "__main__:train"},
            "search(resume='it', trainable=train)",
        ),
    ],
)
def test_where_no_command_goes_on_the_report_says_what_else_does(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], onward: str
) -> None:
    write_run(elsewhere / "it", [TRIAL], ended="interrupt", **settings)
    assert main(report.app, ["it"]) == 0
    assert f"go on     {onward}" in " ".join(capsys.readouterr().out.split("\n          "))


@pytest.mark.parametrize(
    ("ended", "settings", "words"),
    [
        (None, {}, "The search is not complete: 1 of at most 2 trials have ended. Its driver was"),
        ("interrupt", {}, "1 of at most 2 trials have ended. It was interrupted."),
        ("failures", {}, "It was stopped because its first trials failed."),
        ("storage", {}, "It was stopped because its files could not be written."),
        ("an error", {}, "It ended with an error."),
        ("time budget", {}, ""),
        ("", {}, ""),
        ("", {"repeats": 3}, "its best configs were not trained again"),
    ],
)
def test_whether_a_run_is_complete(
    tmp_path: Path, ended: str | None, settings: dict[str, Any], words: str
) -> None:
    folder = write_run(tmp_path / "it", [TRIAL], ended=ended, trials=2, **settings)
    found = unfinished(open_run(folder))
    assert words in found
    assert bool(found) == bool(words)


def test_a_trial_that_was_cut_short_has_not_ended(tmp_path: Path) -> None:
    trials = [TRIAL, made([0.5], CUT_SHORT, LENET)]
    found = unfinished(open_run(write_run(tmp_path / "it", trials, ended="interrupt", trials=3)))
    assert "1 of at most 3 trials have ended. It was interrupted." in found


def test_repeats_that_were_interrupted_are_counted(tmp_path: Path) -> None:
    trials = [TRIAL, made([0.9], config={**LENET, "lr": 0.02}, trial_id="u")]
    files = RunFiles(write_run(tmp_path / "it", trials, trials=2, repeats=5))
    record = Record(files, files.repeats, SPACES["mlp"], Goals((Aim("value", "max"),)))
    for n, of in enumerate("ttu"):
        record.append(made([0.4], config=LENET, repeat_of=of, trial_id=f"again-{n}"))
    record.append(made([0.4], CUT_SHORT, LENET, repeat_of="u", trial_id="cut"))
    record.append(made([0.4], config=LENET, repeat_of="once among the best", trial_id="other"))
    record.close()
    with working(files, "repeats", {}) as session:
        session.by = "SIGTERM"
    assert unfinished(open_run(files.folder)) == (
        "Training the best configs again is not complete: 3 of 10 repeats have ended. "
        "It was ended by SIGTERM."
    )


def test_a_copy_of_a_run_that_goes_on_elsewhere(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", [TRIAL], ended=None, trials=2)
    sessions = folder / "sessions.jsonl"
    sessions.write_text(re.sub(r'"host":"[^"]*"', '"host":"head"', sessions.read_text()))
    assert "A driver on head works on it, or was killed." in unfinished(open_run(folder))


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "it", [TRIAL], ended=None, trials=2))
    with holding(run.files):
        assert unfinished(run) == "The search goes on: 1 of at most 2 trials have ended."


def test_runs_are_compared_on_one_page(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(elsewhere / "a", [TRIAL], algo="random", trials=1)
    write_run(elsewhere / "b", [made([0.9], config=LENET)], algo="optuna", seed=3, trials=1)
    page = comparison_page([open_run("a"), open_run("b")])
    outcome, progress, settings = page.sections
    split, table = outcome.blocks
    assert isinstance(split, Words)
    assert split.text == (
        "The runs split the data with different seeds: a part of each difference comes from the "
        "split."
    )
    assert isinstance(table, Table)
    assert [row[:6] for row in table.rows] == [
        ["a", "0.6000", "2", "1", "2", "0"],
        ["b", "0.9000", "1", "1", "1", "0"],
    ]
    assert len(progress.drawings) == 3
    (differ,) = settings.blocks
    assert isinstance(differ, Table)
    assert list(differ.rows) == [["algo", "random", "optuna"], ["seed", "0", "3"]]
    assert main(report.app, ["a", "b", "--output", "both.html"]) == 0
    assert "run       b: val_accuracy 0.9000, 1 trials" in capsys.readouterr().out
    assert Path("both.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (((0,), (0,)), "There is one search of each kind"),
        (((0, 1), (0, 1)), "2 searches of each kind, with different seeds"),
        (((0, 1), (0,)), "1 to 2 searches of each kind, with different seeds"),
        (((0, 0), (3, 3)), "2 searches of each kind, with the same seed"),
        (((0, 1, 1), (0,)), "1 to 3 searches of each kind, some with the same seed"),
    ],
)
def test_a_comparison_says_how_many_searches_of_each_there_are(
    tmp_path: Path, seeds: tuple[tuple[int, ...], ...], told: str
) -> None:
    runs = [
        open_run(write_run(tmp_path / f"{algo}-{n}", [TRIAL], algo=algo, seed=seed))
        for algo, some in zip(("random", "optuna"), seeds, strict=True)
        for n, seed in enumerate(some)
    ]
    block = comparison_page(runs).sections[1].blocks[0]
    assert isinstance(block, Words)
    assert block.text.startswith(told)


def test_what_was_not_trained_took_no_time(tmp_path: Path) -> None:
    """As on the page of the run itself."""
    trained = made([0.5], config=LENET, started=1000.0, seconds=60.0)
    large = made([], config=LENET, started=900.0, seconds=1.0, trial_id="large")
    large = replace(large, state=State.PRUNED, stopped_by=REQUIREMENT, broken="n_parameters<9")
    runs = [open_run(write_run(tmp_path / name, [large, trained])) for name in ("a", "b")]
    (table,) = comparison_page(runs).sections[0].blocks
    assert isinstance(table, Table)
    assert [row[6] for row in table.rows] == ["1 min 00 s"] * 2


def test_of_runs_on_different_data_it_is_said(elsewhere: Path) -> None:
    runs = [write_run(elsewhere / name, [TRIAL], fingerprint=name) for name in ("a", "b")]
    block = comparison_page(list(map(open_run, runs))).sections[0].blocks[0]
    assert isinstance(block, Words)
    assert "different data" in block.text


def test_of_runs_on_one_split_nothing_is_said_of_it(elsewhere: Path) -> None:
    runs = [write_run(elsewhere / f"{seed}", [TRIAL], seed=seed, split_seed=0) for seed in range(2)]
    (block,) = comparison_page(list(map(open_run, runs))).sections[0].blocks
    assert isinstance(block, Table)


def test_what_does_not_compare_is_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(elsewhere / "a", [TRIAL])
    write_run(elsewhere / "b", [TRIAL], metric="val_loss")
    for arguments, message in (
        (["a", "b"], "a optimises val_accuracy and b val_loss"),
        (["a", "a"], "a run is given twice"),
        (["a", "./a"], "a run is given twice"),
    ):
        assert main(report.app, arguments) == USAGE
        assert message in capsys.readouterr().err
    write_run(elsewhere / "c", [TRIAL])
    assert main(report.app, ["a", "c", "--output", "gone/x.html"]) == USAGE
    assert "gone/x.html' cannot be written" in capsys.readouterr().err
