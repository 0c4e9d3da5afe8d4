"""The record on disk: what goes in comes out, for this project and for plain Optuna."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pipelines.search import record as record_module
from pipelines.search.record import STUDY, Record, RunFiles, load_spec, load_trials
from pipelines.search.trials import FinishedTrial, State
from search_spaces import AtLeast, Choice, Config, Float, Int, SearchSpace

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
    seconds=1.5,
    node="10.0.0.1",
    gpus=0.25,
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
    curve={1: 0.25},
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
    seconds=0.125,
    error='RuntimeError: "out", of\nmemory',
)
TRIALS = [COMPLETE, PRUNED, DIVERGED, FAILED]
SPEC: dict[str, Any] = {"algo": "random", "seed": 3, "target_value": None, "levels": {"lr": 4}}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path / "runs" / "first", SPEC, SPACE, "max")
    for trial in TRIALS:
        record.append(trial)
    return record


def load_with_optuna(files: RunFiles) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(files.journal)))
    return optuna.load_study(study_name=STUDY, storage=storage)


def test_every_field_of_every_trial_comes_back(record: Record) -> None:
    loaded = load_trials(record.files.folder)
    assert loaded == record.trials == TRIALS
    for trial, original in zip(loaded, TRIALS, strict=True):
        types = {name: type(value) for name, value in trial.config.items()}
        assert types == {name: type(value) for name, value in original.config.items()}
        assert trial.diverged == original.diverged
        assert trial.epochs == original.epochs


def test_the_spec_comes_back(record: Record) -> None:
    assert load_spec(record.files.folder) == SPEC
    assert json.loads(record.files.spec.read_text()) == SPEC


def test_a_trial_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    record = Record(tmp_path / "run", SPEC, SPACE, "max")
    assert load_trials(tmp_path / "run") == []
    for n, trial in enumerate(TRIALS, start=1):
        record.append(trial)
        assert load_trials(tmp_path / "run") == TRIALS[:n]


def test_plain_optuna_reads_the_journal(record: Record) -> None:
    study = load_with_optuna(record.files)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.state for trial in study.trials] == states
    assert [trial.params for trial in study.trials] == [trial.config for trial in TRIALS]
    assert [trial.intermediate_values for trial in study.trials] == [t.curve for t in TRIALS]
    assert [trial.user_attrs["diverged"] for trial in study.trials] == [False, False, True, False]
    assert study.best_value == COMPLETE.value
    assert study.best_params == COMPLETE.config


@pytest.mark.parametrize(("mode", "best"), [("min", 0.25), ("max", 0.75)])
def test_optuna_knows_which_way_is_better(tmp_path: Path, mode: Any, best: float) -> None:
    record = Record(tmp_path / "run", SPEC, SPACE, mode)
    for value in (0.5, 0.25, 0.75):
        record.append(
            FinishedTrial(str(value), SHALLOW, State.COMPLETE, {1: value}, value, best_epoch=1)
        )
    assert load_with_optuna(record.files).best_value == best


def test_the_table_has_a_row_per_trial_and_a_column_per_parameter_and_metric(
    record: Record,
) -> None:
    record.write_table()
    with record.files.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    attributes = {
        "trial_id", "state", "stopped_by", "value", "best_epoch", "epochs", "seconds", "node",
        "gpus", "error", "losses", "errors", "clue",
    }  # fmt: skip
    params = {f"param.{name}" for name in SPACE.domains}
    assert set(rows[0]) == attributes | params | {"metric.val_accuracy", "metric.val_loss"}
    assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in TRIALS]
    assert [row["state"] for row in rows] == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]
    assert [row["stopped_by"] for row in rows] == ["", "scheduler", "divergence", ""]
    assert [int(row["epochs"]) for row in rows] == [3, 1, 2, 0]
    assert [float(row["param.lr"]) for row in rows] == [trial.config["lr"] for trial in TRIALS]
    assert (rows[0]["param.width_2"], rows[1]["param.width_2"]) == ("37.0", "")
    assert float(rows[0]["metric.val_loss"]) == 1.25
    assert rows[3]["value"] == rows[3]["best_epoch"] == ""
    assert rows[3]["error"] == FAILED.error


def test_a_folder_that_exists_is_not_overwritten(record: Record) -> None:
    with pytest.raises(ValueError, match="never share a folder"):
        Record(record.files.folder, {}, SPACE, "max")
    assert load_trials(record.files.folder) == TRIALS
    assert load_spec(record.files.folder) == SPEC


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run in .*: it has no study.journal"):
        load_trials(tmp_path)
    with pytest.raises(ValueError, match=r"no run in .*: it has no spec.json"):
        load_spec(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_driver_killed_while_it_wrote_leaves_what_had_finished(record: Record, lost: int) -> None:
    journal = record.files.journal
    journal.write_bytes(journal.read_bytes()[:-lost])
    assert not journal.read_bytes().endswith(b"\n")
    assert load_trials(record.files.folder) == TRIALS[:-1]


def test_reading_writes_nothing(record: Record) -> None:
    before = {path: path.read_bytes() for path in record.files.folder.iterdir()}
    load_trials(record.files.folder)
    assert {path: path.read_bytes() for path in record.files.folder.iterdir()} == before


def test_a_record_from_before_these_attributes_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ("gpus", "losses", "errors", "clue", "changes")

    def as_then(trial: FinishedTrial) -> dict[str, object]:
        return {k: v for k, v in attributes(trial).items() if k not in later}

    attributes = record_module._attributes
    monkeypatch.setattr(record_module, "_attributes", as_then)
    old = Record(tmp_path / "old", SPEC, SPACE, "max")
    old.append(COMPLETE)
    assert load_trials(old.files.folder) == [replace(COMPLETE, gpus=0.0)]
