"""The record of a study on disk: what every report, resume and comparison reads.

``runs/NAME/`` holds ``spec.json``, ``study.journal`` (an Optuna journal, whatever searched),
``trials.csv``, ``best.pt`` (the weights of the best epoch of all) and, in ``errors/``, what failed
trials raised; after repeats also ``repeats/``, a run of its own, and ``winner.yaml``. Only the
driver writes, once per finished trial, so a crash loses no trial that had finished.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pipelines.search.optuna_sampler import DIRECTIONS, frozen_trial
from pipelines.search.trials import FinishedTrial, State
from search_spaces import SearchSpace
from trainables.training.metrics import Mode

STUDY = "rangefinder"


@dataclass(frozen=True)
class RunFiles:
    """Where the parts of a run lie."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "spec.json"

    @property
    def journal(self) -> Path:
        return self.folder / "study.journal"

    @property
    def table(self) -> Path:
        return self.folder / "trials.csv"

    @property
    def weights(self) -> Path:
        return self.folder / "best.pt"

    @property
    def repeats(self) -> Path:
        return self.folder / "repeats"

    @property
    def winner(self) -> Path:
        return self.folder / "winner.yaml"

    @property
    def errors(self) -> Path:
        return self.folder / "errors"

    @property
    def ray(self) -> Path:
        return self.folder / "ray"


class Record:
    """Appends finished trials. Raises ``ValueError`` where the run's folder exists."""

    def __init__(self, folder: Path, spec: dict[str, Any], space: SearchSpace, mode: Mode) -> None:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise ValueError(f"a run exists in {folder}: two never share a folder") from None
        self.files = RunFiles(folder)
        self.trials: list[FinishedTrial] = []
        self._space = space
        self.files.spec.write_text(json.dumps(spec, indent=2) + "\n")
        self._study = optuna.create_study(
            study_name=STUDY, storage=_storage(self.files.journal), direction=DIRECTIONS[mode]
        )

    def append(self, trial: FinishedTrial) -> None:
        self.trials.append(trial)
        self._study.add_trial(frozen_trial(trial, self._space, _attributes(trial)))

    def write_error(self, trial_id: str, text: str) -> None:
        """Keep the whole traceback of a failed trial."""
        self.files.errors.mkdir(exist_ok=True)
        (self.files.errors / f"{trial_id}.txt").write_text(text)

    def write_table(self) -> None:
        """``trials.csv``: one row per trial, one column per parameter, metric and attribute."""
        import pandas as pd

        rows = [
            {
                "trial_id": trial.trial_id,
                "state": trial.state.value,
                "stopped_by": trial.stopped_by,
                "value": trial.value,
                "best_epoch": trial.best_epoch,
                "epochs": trial.epochs,
                "seconds": round(trial.seconds, 3),
                "node": trial.node,
                "gpus": trial.gpus,
                "error": trial.error,
                "losses": trial.losses,
                "errors": trial.errors,
                "clue": trial.clue,
                **{f"param.{name}": value for name, value in trial.config.items()},
                **{f"metric.{name}": value for name, value in trial.metrics.items()},
            }
            for trial in self.trials
        ]
        pd.DataFrame(rows).to_csv(self.files.table, index=False)


def load_spec(folder: Path) -> dict[str, Any]:
    """``spec.json`` of a run. Raises ``ValueError`` where ``folder`` is no run."""
    path = RunFiles(folder).spec
    if not path.is_file():
        raise ValueError(f"no run in {folder}: it has no {path.name}")
    spec: dict[str, Any] = json.loads(path.read_text())
    return spec


def load_trials(folder: Path) -> list[FinishedTrial]:
    """The finished trials of a run, in the order in which they finished.

    Raises ``ValueError`` where ``folder`` is no run.
    """
    files = RunFiles(folder)
    if not files.journal.is_file():
        raise ValueError(f"no run in {folder}: it has no {files.journal.name}")
    try:
        study = optuna.load_study(study_name=STUDY, storage=_storage(files.journal))
    except KeyError:  # killed before the first line was whole
        return []
    return [_finished(trial) for trial in study.get_trials(deepcopy=False)]


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


def _attributes(trial: FinishedTrial) -> dict[str, object]:
    return {
        "trial_id": trial.trial_id,
        "diverged": trial.diverged,
        "stopped_by": trial.stopped_by,
        "best_value": trial.value,
        "best_epoch": trial.best_epoch,
        "metrics": dict(trial.metrics),
        "seconds": round(trial.seconds, 3),
        "node": trial.node,
        "gpus": trial.gpus,
        "error": trial.error,
        "losses": trial.losses,
        "errors": trial.errors,
        "clue": trial.clue,
        "changes": {str(epoch): config for epoch, config in trial.changes.items()},
    }


# What the records of version 0.1.0 did not have from the beginning.
_SINCE_THEN = ("gpus", "losses", "errors", "clue")

_STATES = {
    TrialState.COMPLETE: State.COMPLETE,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAIL,
}


def _finished(trial: FrozenTrial) -> FinishedTrial:
    attributes = trial.user_attrs
    return FinishedTrial(
        trial_id=attributes["trial_id"],
        config=dict(trial.params),
        state=_STATES[trial.state],
        curve=dict(trial.intermediate_values),
        value=attributes["best_value"],
        best_epoch=attributes["best_epoch"],
        stopped_by=attributes["stopped_by"],
        metrics=attributes["metrics"],
        seconds=attributes["seconds"],
        node=attributes["node"],
        error=attributes["error"],
        changes={int(epoch): c for epoch, c in attributes.get("changes", {}).items()},
        **{name: attributes[name] for name in _SINCE_THEN if name in attributes},
    )
