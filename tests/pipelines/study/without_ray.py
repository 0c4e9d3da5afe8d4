"""One thread plays Ray's part of a search, so that a driver can be killed at any point."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow.fs import FileSystem
from ray.tune import Checkpoint
from ray.tune.result import SHOULD_CHECKPOINT

import pipelines.study.wiring as wiring
from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import Node
from pipelines.record.events import Events
from pipelines.record.files import RunFiles
from pipelines.study.result import StudyResult
from pipelines.study.resume.recorded_state import resumed
from pipelines.study.run_study import run_study
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.tuner.attempts import unpack
from pipelines.tuner.epoch_reports import FINISHED, HAS_STATE, HAS_WEIGHTS, NOTICE, REPORTS, report
from pipelines.tuner.worker.trial import WEIGHTS
from tests.pipelines.running import Witness


def _local(place: str, name: str) -> Path:
    """``name`` in a folder that is given by its path or its URI."""
    return Path(FileSystem.from_uri(place)[1], name)


class Killed(BaseException):
    """An exception that no driver can catch."""


class Curve(Iterator[Any]):
    """A training that yields ``value(config, epoch)`` and can be resumed from an epoch."""

    def __init__(self, value: Callable[[dict[str, Any], int], float], config: Any, last: int):
        self.value, self.config, self.last, self.epoch = value, config, last, 0

    def __next__(self) -> Any:
        if self.epoch >= self.last:
            raise StopIteration
        self.epoch += 1
        return {"val_loss": self.value(self.config, self.epoch)}, None


@dataclass
class Process:
    """One of Ray's trials, which is a process. Its checkpoints are files."""

    trial_id: str
    config: dict[str, Any]
    settings: Any
    storage: Path
    checkpoint: Any = None
    training: Any = None
    saves: int = 0
    given: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.placement_group_factory = SimpleNamespace(required_resources={})
        assign = SimpleNamespace(remote=self._assign)
        self.temporary_state = SimpleNamespace(ray_actor=SimpleNamespace(assign=assign))
        self._assign(self.config)

    def _assign(self, packed: dict[str, Any] | None) -> None:
        if packed is not None:
            self.given.append(packed)

    def step(self) -> dict[str, Any]:
        if self.given:
            config, attempt = unpack(self.given.pop(), self.trial_id)
            most = self.settings.max_epochs
            self.training = self.settings.trainable(config, None, max_epochs=most)
            if attempt.checkpoint is not None:
                state = json.loads(_local(attempt.checkpoint, "state").read_text())
                assert state["config"] == config
                self.training.epoch = state["epoch"]
        epoch = self.training.epoch + 1
        end = {HAS_WEIGHTS: True, HAS_STATE: True, NOTICE: False}
        try:
            metrics, _ = next(self.training)
        except StopIteration:  # it resumed after its last epoch
            return {REPORTS: [], FINISHED: True, **end}
        found = report(metrics, epoch, self.settings)
        last = found.diverged or epoch == self.settings.max_epochs
        return {REPORTS: [found], FINISHED: last, **end}

    def save(self) -> None:
        folder = self.storage / self.trial_id / f"checkpoint_{self.saves}"
        self.saves += 1
        folder.mkdir(parents=True)
        state = {"epoch": self.training.epoch, "config": self.training.config}
        (folder / "state").write_text(json.dumps(state))
        (folder / WEIGHTS).write_text(json.dumps(state))

        self.checkpoint = Checkpoint(str(folder))


class Tuner:
    """Trains in ``slots`` processes, one epoch of each in turn."""

    slots = 1
    began = 0

    def __init__(self, settings: Any, tune_config: Any, run_config: Any) -> None:
        self._settings = settings
        self._searcher = tune_config.search_alg
        (self._callback,) = run_config.callbacks
        self._over = run_config.stop.stop_all
        self._storage = _local(run_config.storage_path, run_config.name)

    def fit(self) -> None:
        processes: list[Process] = []
        while not self._over():
            while len(processes) < self.slots and (new := self._new()):
                processes.append(new)
            if not processes:
                break
            self._callback.on_step_end(0, [])
            for process in list(processes):
                if not self._step(process):
                    processes.remove(process)
                    self._searcher.on_trial_complete(process.trial_id)
                self._callback.on_step_end(0, [])
                if self._over():
                    break
        self._callback.on_experiment_end([])

    def _new(self) -> Process | None:
        Tuner.began += 1
        name = f"process-{Tuner.began}"
        config = self._searcher.suggest(name)
        if not isinstance(config, dict):
            return None
        process = Process(name, config, self._settings, self._storage)
        self._callback.on_trial_start(0, [], process)
        return process

    def _step(self, process: Process) -> bool:
        """Runs one step. Returns whether the trial goes on."""
        result = process.step()
        self._callback.on_trial_result(0, [], process, result)
        if result.get(SHOULD_CHECKPOINT):
            process.save()
            self._callback.on_trial_save(0, [], process)
        ledger = self._callback._ledger
        return bool(process.given) or self._callback._current[process.trial_id] in ledger.running


class OneNode(Cluster):
    """A machine with 64 CPUs and no GPU."""

    def __init__(self) -> None:
        super().__init__("", started_here=True)

    def nodes(self) -> list[Node]:
        return [Node("here", 64.0, 0.0)]


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = SimpleNamespace(
        Tuner=Tuner,
        with_resources=lambda trainable, resources: trainable,
        with_parameters=lambda trainable, settings, data: settings,
        TuneConfig=SimpleNamespace,
        RunConfig=SimpleNamespace,
        CheckpointConfig=SimpleNamespace,
        ProgressReporter=SimpleNamespace,
    )
    monkeypatch.setattr(wiring, "tune", stub)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # saves most of the time
    monkeypatch.setattr(Tuner, "slots", 1)
    monkeypatch.setattr(Tuner, "began", 0)


@contextmanager
def killed_before(
    monkeypatch: pytest.MonkeyPatch, number: int, what: tuple[type, str] = (Events, "_append")
) -> Iterator[None]:
    """Kills the driver just before it calls ``what`` for the ``number``-th time, counted from 0.

    By default ``what`` writes an event. The journal of finished trials is written before the event,
    so a trial that has just finished is in the journal. What the driver has not written is lost.
    """
    left = number
    do = getattr(*what)

    def die(*arguments: Any, **more: Any) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        do(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(*what, die)
        yield


def search(study: Study) -> StudyResult:
    return run_study(study, OneNode(), Witness())


def search_until(
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    what: tuple[type, str] = (Events, "_append"),
) -> bool:
    """Runs the search. Returns whether the driver was killed before the search was over."""
    with killed_before(monkeypatch, number, what):
        try:
            search(study)
        except Killed:
            sessions = RunFiles(study.folder).sessions
            lines = sessions.read_text().splitlines(keepends=True)
            sessions.write_text("".join(lines[:-1]))  # a killed driver does not record its end
            return True
    return False


def going_on(study: Study, *, storage: str | None = None, **budget: Any) -> Study:
    """The study, ready to be resumed from its record."""
    run = open_run(study.folder)
    spec = run.spec_in_place.but(budget=budget, run={"storage": storage} if storage else {})
    return replace(study, spec=spec, resumed=resumed(run, spec))
