"""A driver was killed after the last trial: resuming does the rest, without Ray."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.sets.configs import LENET
from pipelines import run, search
from pipelines.cli.command import main
from pipelines.record.files import RunFiles
from pipelines.record.sessions import KILLED, working
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record
from pipelines.results.endings import address_of, unfinished
from pipelines.study.runs import open_run
from tests.pipelines.live.standing import write
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import DIVERGED, made
from trainables.data.datasets import load

OTHER = {**LENET, "lr": 0.05}


@pytest.fixture(autouse=True)
def no_ray(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.cluster.connect.connecting", None)


def killed(*trials: FinishedTrial, **settings: Any) -> RunFiles:
    """A run whose driver was killed after all its trials had ended."""
    settings = {"baseline": False, "trials": len(trials), **settings}
    settings = {"fingerprint": load("digits").fingerprint, **settings}
    files = RunFiles(write_run(Path("it"), trials, ended=None, **settings))
    write(files.folder)
    (files.ray / "left").mkdir(parents=True)
    return files


def test_the_end_is_made_up_for(capsys: pytest.CaptureFixture[str]) -> None:
    files = killed(made([0.5, 0.6], config=LENET))
    assert main(run.app, ["--resume", "it"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == ("complete  it: all its 1 trials have ended; its results are written now")
    assert "best      val_accuracy 0.6000 at epoch 2" in out
    assert out[-1] == "report    it/report.html"
    assert all(path.is_file() for path in (files.table, files.winner, files.report))
    assert not files.live.exists()
    assert list(files.ray.iterdir()) == []
    ended = open_run("it")
    assert [session.by for session in ended.sessions] == [KILLED, ""]
    assert not unfinished(ended)
    assert main(run.app, ["--resume", "it"]) == 0
    assert "ask for more trials" in capsys.readouterr().out
    assert len(open_run("it").sessions) == 2


def test_its_commands_and_those_of_its_page_give_the_address_of_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = killed(made([0.5], config=LENET), trials=9, time_budget=10.0)  # it worked for 12 s
    begun = {**json.loads(files.sessions.read_text()), "host": socket.gethostname()}
    files.sessions.write_text(json.dumps({**begun, "address": "auto"}) + "\n")
    assert main(run.app, ["--resume", "it"]) == 0
    assert address_of(open_run("it")) == "auto"
    out = capsys.readouterr().out
    for command in ("--resume it --time-budget 20s", "pipelines.evaluate it"):
        assert f"{command} --address auto" in out


def test_results_from_before_a_search_went_on_are_not_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its driver was interrupted after the last trial, and told how to go on."""
    files = killed(made([0.5, 0.6], config=LENET))
    assert main(run.app, ["--resume", "it"]) == 0
    before = open_run("it")
    with working(files, "search", {"budget": {"trials": 2}}) as session:
        record = Record(files, files.journal, before.space, before.goals, before=before.finished)
        record.append(made([0.7, 0.8], config=OTHER, trial_id="b"))
        record.close()
        session.by = ""
    capsys.readouterr()
    assert main(run.app, ["--resume", "it"]) == 0
    assert "its results are written now" in capsys.readouterr().out
    assert yaml.safe_load(files.winner.read_text()) == [OTHER]
    assert len(files.table.read_text().splitlines()) == 3
    assert main(run.app, ["--resume", "it"]) == 0
    assert "ask for more trials" in capsys.readouterr().out


def test_where_the_time_budget_is_used_up_a_longer_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    killed(made([0.5, 0.6], config=LENET), trials=9, time_budget=10.0)  # it worked for 12 s
    for _ in range(2):
        assert main(run.app, ["--resume", "it"]) == 0
        out = capsys.readouterr().out
        assert "its time budget, 10 s, is used up" in out
        (line,) = (line for line in out.splitlines() if line.startswith("go on "))
        assert line.endswith("--resume it --time-budget 20s")


def test_the_quick_models_are_fitted_unless_they_were(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipelines.study.baseline._PROGRAM",
        """print('["logistic regression", {"val_accuracy": 0.4}]')""",
    )
    files = killed(made([0.5, 0.6], config=LENET), baseline=True)
    assert main(run.app, ["--resume", "it"]) == 0
    out = capsys.readouterr().out
    assert "baseline  val_accuracy of logistic regression 0.4000, majority class 0.1" in out
    assert "gradient boosting left out: not finished" in out
    found = open_run("it").baselines
    assert list(found) == ["majority class", "logistic regression", "gradient boosting"]
    files.report.unlink()
    assert main(run.app, ["--resume", "it"]) == 0  # the wait is over
    assert "waiting" not in capsys.readouterr().out
    assert open_run("it").baselines == found


def test_quick_models_that_fail_are_not_called_late(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.study.baseline._PROGRAM", "import nowhere_to_be_found")
    killed(made([0.5, 0.6], config=LENET), baseline=True)
    assert main(run.app, ["--resume", "it"]) == 0
    out = capsys.readouterr().out
    assert "warning   the quick models beside the search have failed: exit code 1, Module" in out
    assert "left out" not in out


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    files = killed(made([0.5, 0.6], config=LENET))
    assert main(run.app, ["--resume", "it", "--dry-run"]) == 0
    assert "ask for more trials" in capsys.readouterr().out
    assert files.live.exists()
    assert not files.table.exists()


def test_from_python() -> None:
    files = killed(made([0.5, 0.6], config=LENET))
    assert not unfinished(search(resume="it", quiet=True))
    assert files.report.is_file()


def test_a_search_without_a_sound_trial_says_so_and_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    killed(made([0.0], DIVERGED, LENET))
    assert main(run.app, ["--resume", "it"]) == 1
    assert "trials    1: 1 diverged" in capsys.readouterr().out


def test_after_repeats_the_winner_is_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    trials = (made([0.8], config=LENET, trial_id="a"), made([0.9], config=OTHER, trial_id="b"))
    files = killed(*trials, repeats=2)
    files.weights.write_text("of the search")
    space = open_run("it").space
    record = Record(files, files.repeats, space, open_run("it").goals)
    for of, config, value in (("a", LENET, 0.8), ("b", OTHER, 0.3)):
        for seed in (1, 2):
            again: Any = {"trial_id": f"{of}{seed}", "repeat_of": of, "seed": seed}
            record.append(made([value + seed / 100], config=config, **again))
    record.close()
    files.repeated_weights.mkdir()
    (files.repeated_weights / "a.pt").write_text("of the best repeat")
    first, *_ = files.sessions.read_text().splitlines()
    begun = json.loads(first)
    more = [begun, {"ended": begun["begun"], "by": ""}, {**begun, "part": "repeats"}]
    files.sessions.write_text("".join(f"{json.dumps(line)}\n" for line in more))
    assert main(run.app, ["--resume", "it"]) == 0
    assert "repeats   val_accuracy of the best configs, with 2 other" in capsys.readouterr().out
    assert yaml.safe_load(files.winner.read_text()) == [LENET]
    assert files.weights.read_text() == "of the best repeat"
    ended = open_run("it")
    assert [(s.part, s.by) for s in ended.sessions] == [
        ("search", ""), ("repeats", KILLED), ("repeats", ""),
    ]  # fmt: skip
    assert not unfinished(ended)
