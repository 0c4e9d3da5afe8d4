"""The record on disk is read back exactly, by this project and by plain Optuna."""

import csv
import errno
import json
import re
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pipelines.record import writing
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.header import FORMAT, read_header
from pipelines.record.journal import STUDY, Journal, load_journal
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.writing import start_run
from pipelines.study.finish import write_table
from pipelines.study.runs import open_run
from search_spaces import AtLeast, Choice, Config, Float, Int, SearchSpace
from tests.pipelines.recorded import write_run

HIGHEST = Goals((Aim("value", "max"),))
SPACE = SearchSpace(
    {
        "n_layers": Int(1, 2),
        "width_2": Int(8, 512, log=True, when=AtLeast("n_layers", 2)),
        "lr": Float(1e-8, 1.0, log=True),
        "batch_norm": Choice((True, False)),
        "decay": Choice((0.0, 1e-4)),
        "activation": Choice(("relu", "tanh")),
    }
)
COMPLETE = FinishedTrial(
    trial_id="ab12_00000",
    config={
        "n_layers": 2,
        "width_2": 37,
        "lr": 0.1 + 0.2,
        "batch_norm": True,
        "decay": 1e-4,
        "activation": "tanh",
    },
    state=State.COMPLETE,
    curve={1: 0.5, 2: 1 / 3, 3: 0.25},
    value=0.5,
    best_epoch=1,
    metrics={"val_accuracy": 0.5, "val_loss": 1.25},
    curves={"val_accuracy": [0.5, 0.333333, 0.25], "val_loss": [1.25, None, 1.5]},
    seed=3,
    started=1_700_000_000.0,
    seconds=1.5,
    node="10.0.0.1",
    gpus=0.25,
    machines_lost=1,
    processes_lost=2,
    out_of_memory=1,
    failures=2,
    clue="fits",
    changes={2: {"lr": 0.5, "n_layers": 1}},
    resumed=2,
    planned={1: 2, 3: 3},
    n_parameters=1234,
)
SHALLOW: Config = {
    "n_layers": 1,
    "lr": 1e-8,
    "batch_norm": False,
    "decay": 0.0,
    "activation": "relu",
}
PRUNED = FinishedTrial(
    trial_id="ab12_00001",
    config=SHALLOW,
    state=State.PRUNED,
    curve={1: 0.25, 2: 0.2},
    value=0.25,
    best_epoch=1,
    stopped_by="scheduler",
    metrics={"val_accuracy": 0.25},
    seconds=0.25,
    node="10.0.0.2",
)
DIVERGED = FinishedTrial(
    trial_id="ab12_00002",
    config={**SHALLOW, "lr": 1.0},
    state=State.PRUNED,
    curve={1: 0.75, 2: 0.0},
    value=0.0,
    best_epoch=2,
    stopped_by="divergence",
)
FAILED = FinishedTrial(
    trial_id="ab12_00003",
    config={**SHALLOW, "lr": 0.5},
    state=State.FAIL,
    curve={1: 0.5},
    value=0.5,
    best_epoch=1,
    seconds=0.125,
    error='RuntimeError: "out", of\nmemory',
    broken="val_loss<1",
)
TRIALS = [COMPLETE, PRUNED, DIVERGED, FAILED]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "first", TRIALS, space=SPACE, seed=3, fix={"lr": 0.1})


def load_with_optuna(folder: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name=STUDY, storage=storage)


def test_every_field_of_every_trial_comes_back(folder: Path) -> None:
    loaded = load_journal(folder / "study.journal")
    assert loaded == TRIALS
    for trial, original in zip(loaded, TRIALS, strict=True):
        types = {name: type(value) for name, value in trial.config.items()}
        assert types == {name: type(value) for name, value in original.config.items()}
        assert trial.diverged == original.diverged
        assert trial.epochs == original.epochs


def test_the_trials_of_this_test_have_every_field() -> None:
    """A field that a new version adds must also be read back."""
    for field in fields(FinishedTrial):
        default = getattr(FinishedTrial("", {}, State.COMPLETE), field.name)
        assert any(getattr(trial, field.name) != default for trial in TRIALS) or (
            field.name == "repeat_of"
        )


def test_the_spec_the_space_and_the_data_come_back(folder: Path) -> None:
    run = open_run(folder)
    assert run.spec.search.seed == 3
    assert run.spec.space.fix == {"lr": 0.1}
    assert run.space == SPACE
    assert run.data.name == "digits"
    assert run.data.input_shape == (4,)
    assert (run.metric, run.best, len(run.trials)) == ("val_accuracy", COMPLETE, 4)


def test_curves_are_a_long_table(folder: Path) -> None:
    curves = open_run(folder).curves
    assert list(curves.columns) == ["trial", "epoch", "metric", "value"]
    assert curves.to_numpy().tolist() == [
        ["ab12_00000", 1, "val_accuracy", 0.5],
        ["ab12_00000", 2, "val_accuracy", 0.333333],
        ["ab12_00000", 3, "val_accuracy", 0.25],
        ["ab12_00000", 1, "val_loss", 1.25],
        ["ab12_00000", 3, "val_loss", 1.5],
    ]


def test_a_trial_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    journal = Journal(path, SPACE, HIGHEST)
    assert load_journal(path) == []
    for n, trial in enumerate(TRIALS, start=1):
        journal.append(trial)
        assert load_journal(path) == TRIALS[:n]


def test_plain_optuna_reads_the_journal(folder: Path) -> None:
    study = load_with_optuna(folder)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.state for trial in study.trials] == states
    assert [trial.params for trial in study.trials] == [trial.config for trial in TRIALS]
    assert [trial.intermediate_values for trial in study.trials] == [t.curve for t in TRIALS]
    assert [trial.user_attrs["diverged"] for trial in study.trials] == [False, False, True, False]
    assert study.best_value == COMPLETE.value
    assert study.best_params == COMPLETE.config


def test_optuna_has_what_it_would_have_recorded_itself(folder: Path) -> None:
    trials = load_with_optuna(folder).trials
    assert [trial.value for trial in trials] == [0.5, 0.2, 0.0, None]  # pruned: the last value
    assert trials[0].datetime_start == datetime.fromtimestamp(1_700_000_000)
    duration = trials[0].duration
    assert duration is not None
    assert duration.total_seconds() == 1.5


def test_optunas_own_pictures_have_something_to_show(folder: Path) -> None:
    study = load_with_optuna(folder)
    history = optuna.visualization.plot_optimization_history(study)
    assert list(history.data[0].y) == [0.5]
    timeline = optuna.visualization.plot_timeline(study)
    assert sum(len(bar.x) for bar in timeline.data) == 4
    assert max(max(bar.x) for bar in timeline.data) == 1500.0  # milliseconds


@pytest.mark.parametrize(("mode", "best"), [("min", 0.25), ("max", 0.75)])
def test_optuna_knows_which_way_is_better(tmp_path: Path, mode: Any, best: float) -> None:
    journal = Journal(tmp_path / "study.journal", SPACE, Goals((Aim("value", mode),)))
    for value in (0.5, 0.25, 0.75):
        journal.append(
            FinishedTrial(str(value), SHALLOW, State.COMPLETE, {1: value}, value, best_epoch=1)
        )
    assert load_with_optuna(tmp_path).best_value == best


def test_the_table_has_a_row_per_trial_and_a_column_per_parameter_and_metric(
    folder: Path,
) -> None:
    with write_table(RunFiles(folder), TRIALS, HIGHEST).open(newline="") as file:
        rows = list(csv.DictReader(file))
    attributes = {
        "trial_id", "state", "stopped_by", "value", "best_epoch", "epochs", "seed", "repeat_of",
        "started", "seconds", "node", "gpus", "error", "machines_lost", "failures", "n_parameters",
        "processes_lost", "out_of_memory", "clue", "resumed", "diverged",
    }  # fmt: skip
    params = {f"param.{name}" for name in SPACE.domains}
    assert set(rows[0]) == attributes | params | {"metric.val_accuracy", "metric.val_loss"}
    assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in TRIALS]
    assert [row["state"] for row in rows] == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]
    assert [row["stopped_by"] for row in rows] == ["", "scheduler", "divergence", ""]
    assert [int(row["epochs"]) for row in rows] == [3, 2, 2, 1]
    assert [float(row["param.lr"]) for row in rows] == [trial.config["lr"] for trial in TRIALS]
    assert (rows[0]["param.width_2"], rows[1]["param.width_2"]) == ("37.0", "")
    assert float(rows[0]["metric.val_loss"]) == 1.25
    assert rows[3]["error"] == FAILED.error


def test_a_run_without_trials_has_an_empty_table(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    assert len(run.trials) == len(run.curves) == 0
    assert run.best is None


def test_a_folder_that_exists_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a run exists in .*: choose another `name`"):
        start_run(RunFiles(folder), {}, {})
    assert open_run(folder).finished == TRIALS


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_run_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(writing, "write_header", fail)
    with pytest.raises(type(error)):
        start_run(RunFiles(tmp_path / "run"), {}, {}, [{}])
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_before_its_first_trial_says_how_it_begins(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "study.journal").unlink()
    with pytest.raises(ValueError, match=r"run has no study.journal: .* run.py --resume begins it"):
        _ = open_run(folder).finished


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run in .*: there is no such folder"):
        open_run(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": FORMAT + 1}, f"has format {FORMAT + 1}, of a newer version: this version"),
        ({"format": FORMAT - 1}, f"has format {FORMAT - 1}, of another version: this version"),
        ({"format": None}, "has no format number: version 0.1 wrote it, this is 0.2"),
    ],
)
def test_a_record_of_another_format_is_one_clear_line(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    spec = folder / "spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), **change}))
    with pytest.raises(ValueError, match=message) as error:
        read_header(folder)
    assert "\n" not in str(error.value)


def test_settings_that_this_version_does_not_have_are_named_with_their_file(folder: Path) -> None:
    spec, sessions = RunFiles(folder).spec, RunFiles(folder).sessions
    line = json.loads(sessions.read_text().splitlines()[0])
    begun = json.dumps({**line, "changes": {"budget": {"trials": 0}}})
    sessions.write_text(f"{begun}\n")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(sessions))}: budget.trials is '0': "):
        open_run(folder)
    settings = json.loads(spec.read_text())
    settings["budget"]["patience"] = 3
    spec.write_text(json.dumps(settings))
    unknown = rf"^{re.escape(str(spec))}: there is no setting budget.patience: it has trials, "
    with pytest.raises(ValueError, match=unknown):
        open_run(folder)


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_driver_killed_while_it_wrote_leaves_what_had_finished(folder: Path, lost: int) -> None:
    journal = folder / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-lost])
    assert not journal.read_bytes().endswith(b"\n")
    assert open_run(folder).finished == TRIALS[:-1]


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "[{}]", "[" * 5000, "\x1b[31m"])
def test_a_preprocessing_that_is_none_is_one_line(folder: Path, text: str) -> None:
    path = RunFiles(folder).preprocessing
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        _ = open_run(folder).preprocessing
    assert "\n" not in str(error.value)


def test_reading_writes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    run = open_run(folder)
    assert len(run.trials) == len(run.finished) == 4
    assert run.study.best_value == 0.5
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
