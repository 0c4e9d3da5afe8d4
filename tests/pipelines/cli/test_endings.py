"""What a search tells at its end: its exit code and its last lines."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import comparison
from pipelines.cli.command import FAILURE
from pipelines.cli.launch import exit_code
from pipelines.cli.summary import summary_lines
from pipelines.record.files import RunFiles
from pipelines.record.patience import StorageError
from pipelines.record.sessions import STORAGE, read_sessions
from pipelines.study.repeats import Repeats
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_study
from pipelines.study.typed import shown
from tests.pipelines.results.made import FAILED, made
from tests.pipelines.running import Witness, study_of
from tests.pipelines.study.without_ray import Curve, OneNode, Tuner, search, without_ray

__all__ = ["without_ray"]

SOUND, BROKEN = made([0.5], config={"x": 0.5}), made([], FAILED, {"x": 0.5})


@pytest.mark.parametrize(
    ("ended_by", "code", "words"),
    [
        ("", 0, ""),
        ("target value", 0, "at the target value"),
        ("time budget", 0, "at the time budget"),
        ("storage", FAILURE, "checkpoints could not be written"),
        ("failures", 0, "the first trials all failed"),
        ("interrupt", 130, "by Ctrl-C"),
        ("SIGTERM", 143, "by SIGTERM"),
        ("SIGHUP", 129, "its terminal closed"),
        ("closed output", 141, "nobody reads its output"),
    ],
)
def test_each_end_has_its_code_and_words(
    tmp_path: Path, ended_by: str, code: int, words: str
) -> None:
    result = StudyResult([SOUND], "val_loss", 3, ended_by)
    assert exit_code(result) == code
    study = study_of(tmp_path / "run", None)
    first, *_ = summary_lines(study, result, OneNode())
    assert first.startswith("ended     stopped") == bool(words)
    assert words in first
    if ended_by == "time budget":
        week = study_of(tmp_path / "week", None, time_budget=604_800.0)
        assert "--time-budget 1209600s" in "\n".join(summary_lines(week, result, OneNode()))
    without_best = StudyResult([BROKEN], "val_loss", 3, ended_by)
    assert exit_code(without_best) == (code or FAILURE)


def test_with_the_longer_time_budget_the_search_goes_on(tmp_path: Path) -> None:
    """An epoch may take longer than twice the budget, and a trial ends after one."""
    study = study_of(tmp_path / "run", None, time_budget=5.0)
    begun = {"begun": 0, "part": "search", "host": "here", "process": 1, "changes": {}}
    ended = {"ended": 12, "by": "time budget", "seconds": 12}
    (tmp_path / "run").mkdir()
    sessions = RunFiles(study.folder).sessions
    sessions.write_text("".join(f"{json.dumps(line)}\n" for line in (begun, ended)))
    told = summary_lines(study, StudyResult([SOUND], "val_loss", 3, "time budget"), OneNode())
    (line,) = (line for line in told if line.startswith("go on "))
    assert line.endswith("--time-budget 20s")


@pytest.mark.parametrize(("launched", "noted"), [(False, "10.0.0.1:6379"), (True, None)])
@pytest.mark.usefixtures("without_ray")
def test_the_record_has_the_address_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launched: bool, noted: str | None
) -> None:
    monkeypatch.setattr(OneNode, "launched", launched)

    def trainable(config: Any, data: Any, *, max_epochs: int, **_: Any) -> Curve:
        return Curve(lambda config, epoch: float(config["x"]), config, max_epochs)

    study, cluster = study_of(tmp_path / "run", trainable, trials=1), OneNode()
    cluster.address = "10.0.0.1:6379"
    run_study(study, cluster, Witness())
    (session,) = read_sessions(RunFiles(study.folder))
    assert session.address == noted


def test_all_scores_of_the_best_trial_have_their_digits(tmp_path: Path) -> None:
    best = made([0.5], config={"x": 0.5}, metrics={"val_r2": 0.5, "val_rmse": 12398.4})
    study = study_of(tmp_path / "run", None)
    lines = list(summary_lines(study, StudyResult([best], "val_r2", 1), OneNode()))
    assert "best      val_r2 0.5000 at epoch 1" in lines
    assert "there     val_rmse 12398" in lines


@pytest.mark.parametrize("scheduler", ["hyperband", "pbt"])
def test_a_search_that_cannot_be_resumed_says_what_can_be_done(
    tmp_path: Path, scheduler: str
) -> None:
    study = study_of(tmp_path / "run", None, scheduler=scheduler)
    result = StudyResult([SOUND], "val_loss", 3, "interrupt")
    (line,) = [x for x in summary_lines(study, result, OneNode()) if x.startswith("go on")]
    assert f"not possible with scheduler={scheduler}: " in line
    assert line.endswith(f"--seed-from {shown(study.folder)}")
    none = StudyResult([], "val_loss", 3, "interrupt")
    (line,) = [x for x in summary_lines(study, none, OneNode()) if x.startswith("go on")]
    assert line == f"go on     not possible with scheduler={scheduler}"
    over = StudyResult([SOUND], "val_loss", 3, "")
    assert not [x for x in summary_lines(study, over, OneNode()) if x.startswith("go on")]


@pytest.mark.parametrize(("metric", "sign"), [("val_accuracy", "minus"), ("val_loss", "plus")])
def test_the_winner_of_repeats_is_by_the_right_bound(
    tmp_path: Path, metric: str, sign: str
) -> None:
    study = study_of(tmp_path / "run", None, metric=metric)
    result = StudyResult([SOUND], metric, 3)
    lines = list(summary_lines(study, result, OneNode(), [Repeats("t", {"x": 0.5}, (0.4, 0.6))]))
    assert [line for line in lines if line.startswith("winner")] == [
        f"winner    the first, by mean {sign} one standard error: {shown(study.folder)}/winner.yaml"
    ]


@pytest.mark.parametrize(
    ("failed", "sound", "line"),
    [
        (0, 2, None),
        (1, 5, "failed    1 of 6 trials: RuntimeError: no"),
        (1, 4, "warning   1 of 5 trials failed: RuntimeError: no"),
        (3, 0, "error     3 of 3 trials failed: RuntimeError: no"),
    ],
)
def test_what_made_trials_fail_is_said(
    tmp_path: Path, failed: int, sound: int, line: str | None
) -> None:
    result = StudyResult([SOUND] * sound + [BROKEN] * failed, "val_loss", 3)
    told = [line for line in lines_of(tmp_path, result) if "RuntimeError" in line]
    where = f" (full text in {shown(tmp_path / 'run' / 'errors')})"
    assert told == ([] if line is None else [f"{line}{where}"])


def test_of_several_errors_the_commonest_is_said(tmp_path: Path) -> None:
    other = made([], FAILED, {"x": 0.5}, error="KeyError: 'y'")
    result = StudyResult([SOUND, BROKEN, other, other], "val_loss", 3)
    (line,) = (line for line in lines_of(tmp_path, result) if "KeyError" in line)
    assert line.startswith("warning   3 of 4 trials failed, 2 of them: KeyError: 'y' (full text")


def test_a_longer_training_that_does_not_count_is_said(tmp_path: Path) -> None:
    in_vain = replace(SOUND, error="its longer training diverged in epoch 4")
    lines = lines_of(tmp_path, StudyResult([SOUND, in_vain], "val_loss", 6))
    told = [line for line in lines if line.startswith("note")]
    assert told == [f"note      trial {SOUND.trial_id}: its longer training diverged in epoch 4"]


def test_a_function_that_yields_no_model_has_nothing_to_evaluate(tmp_path: Path) -> None:
    result = StudyResult([SOUND], "val_loss", 3)
    assert not any("evaluate" in line for line in lines_of(tmp_path, result))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.pt").touch()
    assert any("evaluate" in line for line in lines_of(tmp_path, result))


@pytest.mark.parametrize("function", ["__main__:train", "made:by.<locals>.train"])
@pytest.mark.parametrize("ended_by", ["interrupt", "time budget"])
def test_a_function_that_no_command_can_import_goes_on_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, ended_by: str
) -> None:
    monkeypatch.chdir(tmp_path)
    study = study_of(tmp_path / "run", None, time_budget=60)
    study = replace(study, spec=study.spec.but(problem={"trainable": function}))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.pt").touch()
    lines = list(summary_lines(study, StudyResult([SOUND], "val_loss", 3, ended_by), OneNode()))
    spec = "open_run('run').spec.but(budget={'time_budget': 120}), "
    longer = spec if ended_by == "time budget" else ""
    assert f"go on     search({longer}resume='run', trainable=train)" in lines
    assert not any("evaluate" in line for line in lines)


def test_of_a_cluster_one_types_what_is_next_on_the_computer_that_launched_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Launched(OneNode):
        launched = True

    monkeypatch.setenv("HOME", str(tmp_path))
    for runs, run in ((tmp_path / "runs", "it"), (tmp_path / "mine", str(tmp_path / "mine/it"))):
        study = study_of(runs / "it", None, time_budget=60)
        runs.joinpath("it").mkdir(parents=True)
        runs.joinpath("it", "best.pt").touch()
        result = StudyResult([SOUND], "val_loss", 3, "time budget")
        submit, folder = "ray submit CLUSTER.yaml pipelines", f"{runs.name}/it"
        assert list(summary_lines(study, result, Launched()))[-3:] == [
            f"go on     {submit}/run.py --address auto --resume {folder} --time-budget 120s",
            f"next      python pipelines/fetch.py CLUSTER.yaml {run}",
            f"then      {submit}/evaluate.py {folder} --address auto",
        ]


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "local"])
def test_the_address_that_was_given_is_in_the_commands_that_train(
    tmp_path: Path, address: str
) -> None:
    study = study_of(tmp_path / "run", None)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.pt").touch()
    cluster = OneNode()
    cluster.address = address
    lines = list(summary_lines(study, StudyResult([SOUND], "val_loss", 3, "interrupt"), cluster))
    told = {line.split()[0]: line for line in lines[-3:]}
    for name in ("go", "then"):
        assert told[name].endswith(f" --address {address}")
    assert "--address" not in told["next"]  # a report needs no cluster


def lines_of(folder: Path, result: StudyResult) -> list[str]:
    return list(summary_lines(study_of(folder / "run", None), result, OneNode()))


def test_a_comparison_whose_ray_dies_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []
    monkeypatch.setattr(comparison, "end_ray", lambda: done.append("end"))
    monkeypatch.setattr(comparison, "leave", done.append)
    comparison._stop("Ray's raylet has died: it was killed")
    assert done == ["end", FAILURE]
    told = "Ray's raylet has died: it was killed; type the same command to go on"
    assert capsys.readouterr().err == f"error: {told}\n"


@pytest.mark.usefixtures("without_ray")
def test_a_full_disk_is_named_whatever_ray_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(tuner: Tuner) -> None:
        error = RuntimeError("Ray's words")
        error.__context__ = OSError(errno.ENOSPC, "No space left on device", "/runs/x")
        raise error

    monkeypatch.setattr(Tuner, "fit", fit)
    reason = "the search has stopped because it cannot write: /runs/x: No space left on device"
    with pytest.raises(StorageError, match=reason):
        search(study_of(tmp_path / "run", None))
    (session,) = read_sessions(RunFiles(tmp_path / "run"))
    assert session.by == STORAGE
