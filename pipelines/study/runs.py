"""Reads a recorded run, while it runs and afterwards: :func:`open_run`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.record.baselines import Baselines, read_baselines
from pipelines.record.checks import check_prepared, check_trial, first_of
from pipelines.record.files import RunFiles
from pipelines.record.front import pareto_front
from pipelines.record.goals import Goals
from pipelines.record.header import read_header, read_json
from pipelines.record.journal import load_journal, load_latest
from pipelines.record.live import Live, read_live
from pipelines.record.looks import Look, read_looks
from pipelines.record.sessions import read_sessions
from pipelines.record.table import curves_table, trials_table
from pipelines.record.trials import FinishedTrial
from pipelines.study.references import import_object, import_space
from pipelines.study.result import StudyResult
from pipelines.study.settings import merged
from pipelines.study.spec import StudySpec
from search_spaces import Config, SearchSpace
from trainables.data.preprocessing import Preprocessing
from trainables.training.trainable import Trainable

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True)
class RecordedData:
    """What the record says about the data."""

    name: str
    task: str
    fingerprint: str
    train: int  # samples
    validation: int
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what a user should know about how they were read


class Run:
    """What a run's folder holds. It is read on demand; nothing is written.

    Each trial is read once, so open the run anew to see what has finished since.
    """

    def __init__(self, folder: Path) -> None:
        self.files = RunFiles(folder)
        self.trainable: Trainable | None = None
        """The user's own function, if it is given in Python instead of imported."""
        settings, self._prepared = read_header(folder)
        self._check()
        self.sessions = read_sessions(self.files)
        """When drivers worked on the run; empty if an older version wrote the record."""
        self.first_spec = _spec_of(settings, self.files.spec)
        """The resolved settings when the run began."""
        for session in self.sessions:
            settings = merged(settings, session.changes)
        self.spec = _spec_of(settings, self.files.sessions)
        """The settings now. They may have changed when the search went on."""
        if self.spec.problem.metric is None:
            raise ValueError(
                f"{self.files.spec} does not say what was searched for: problem.metric"
            )

    def _check(self) -> None:
        try:
            check_prepared(self._prepared)
            _ = self.space
        except ValueError as error:
            raise ValueError(f"{self.files.spec}: prepared: {error}") from None

    def with_news(self, finished: list[FinishedTrial], live: Live | None) -> Run:
        """The same run with what has been read since."""
        run = copy(self)
        for name in ("repeated", "looks", "baselines"):
            run.__dict__.pop(name, None)
        run.finished, run.live = finished, live
        run.sessions = read_sessions(run.files)
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.files.folder)!r})"

    @property
    def spec_in_place(self) -> StudySpec:
        """The settings with the folder in which the run is now, wherever it was made."""
        return self.placed(self.spec)

    def placed(self, spec: StudySpec) -> StudySpec:
        """``spec`` with the run's present folder in place of the folder that the record names."""
        if (spec.run.name, spec.run.runs_dir) != (self.spec.run.name, self.spec.run.runs_dir):
            return spec
        folder = self.files.folder.absolute()
        return spec.but(run={"name": folder.name, "runs_dir": folder.parent})

    @cached_property
    def space(self) -> SearchSpace:
        """The space that was searched, without the function that may forbid configs."""
        return SearchSpace.from_dict(self._prepared["space"])

    @property
    def forbids(self) -> str | None:
        """The name of the function that forbids configs, if there was one."""
        name: str | None = self._prepared["space"]["forbid"]
        return name

    @cached_property
    def data(self) -> RecordedData:
        """The data that the search used."""
        content: dict[str, Any] = dict(self._prepared["data"])
        for name in ("input_shape", "classes", "notes"):
            content[name] = tuple(content.get(name, ()))  # an older version wrote no notes
        return RecordedData(**content)

    @cached_property
    def preprocessing(self) -> tuple[Preprocessing, ...]:
        """For each fold, what made the inputs of the trials, and makes inputs of new samples.

        Raises ``ValueError`` if the record does not have it, as for a run of an older version, or
        for data that were made by hand.
        """
        path = self.files.preprocessing
        content = read_json(path)
        if not isinstance(content, list) or not content:
            raise ValueError(f"{path} is not a list of preprocessings")
        try:
            return tuple(map(Preprocessing.from_dict, content))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @property
    def start_with(self) -> tuple[Config, ...]:
        """The configs that the search was told to try first."""
        return tuple(map(dict, self._prepared.get("start_with", ())))

    @property
    def learnt_from(self) -> list[str] | None:
        """The names of the trials of ``seed_from`` that the algorithm was told about; None if there
        were none, or if an older version wrote the record."""
        names: list[str] | None = self._prepared.get("learnt_from")
        return names

    @property
    def lr_bounds(self) -> Mapping[str, Mapping[str, Any]]:
        """The bounds by optimiser, if an LR range test was made first."""
        bounds: Mapping[str, Mapping[str, Any]] = self._prepared["lr_bounds"]
        return bounds

    @property
    def lr_tests(self) -> Mapping[str, Mapping[str, Any]]:
        """What these tests measured, by optimiser: the fields of a
        :class:`trainables.smith.lr_range_test.RangeTest`, with None for a loss that is not
        finite."""
        tests: Mapping[str, Mapping[str, Any]] = self._prepared.get("lr_tests", {})
        return tests

    @property
    def algorithm(self) -> str:
        """What chose the configs, in words; "" if an older version wrote the record."""
        words: str = self._prepared.get("algorithm", "")
        return words

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of the packages that ran the search."""
        versions: Mapping[str, str] = self._prepared["versions"]
        return versions

    @property
    def machine(self) -> Mapping[str, str]:
        """The machine that the search was started on; empty if an older version ran it."""
        machine: Mapping[str, str] = self._prepared.get("machine", {})
        return machine

    @property
    def metric(self) -> str:
        """A name in METRICS."""
        assert self.spec.problem.metric is not None
        return self.spec.problem.metric

    @property
    def goals(self) -> Goals:
        """All objectives and requirements."""
        return self.spec.problem.goals

    @property
    def front(self) -> list[FinishedTrial]:
        """The Pareto front of several objectives: see
        :func:`pipelines.record.front.pareto_front`."""
        return pareto_front(self.finished, self.goals)

    @cached_property
    def finished(self) -> list[FinishedTrial]:
        """The trials in the order in which they finished."""
        return self._checked(self.files.journal)

    @cached_property
    def repeated(self) -> list[FinishedTrial]:
        """The trainings of the best configs with other seeds, if there were any. Those that began
        when trials had fewer epochs than now do not count."""
        path, events = self.files.repeats, self.files.repeats_events
        trials = self._checked(path) if path.is_file() or events.is_file() else []
        return [t for t in trials if self.max_epochs_at(t.started) == self.max_epochs_at()]

    def max_epochs_at(self, time: float = math.inf) -> int:
        """The epochs of a trial as planned by the driver that worked on the run at ``time``, in
        seconds since 1970; by default the last driver."""
        epochs = self.first_spec.budget.max_epochs
        for session in self.sessions:
            if session.begun <= time:
                epochs = session.changes.get("budget", {}).get("max_epochs", epochs)
        return epochs

    @cached_property
    def baselines(self) -> Baselines:
        """The scores of the quick models, by name; empty if none was fitted.

        Raises ``ValueError`` for a file that we did not write.
        """
        path = self.files.baselines
        return read_baselines(path) if path.is_file() else {}

    @cached_property
    def looks(self) -> list[Look]:
        """The looks at the test set, in their order, with the numbers that their trials have
        now."""
        looks = [look.as_numbered(self.finished) for look in read_looks(self.files.looks)]
        last = max((number for look in looks for number in look.trials), default=-1)
        if last >= len(self.finished):
            raise ValueError(f"{self.files.looks}: the run has no trial {last}")
        return looks

    def _checked(self, path: Path) -> list[FinishedTrial]:
        trials = load_journal(path)
        for number, trial in enumerate(trials):
            try:
                check_trial(trial, self.space)
            except ValueError as error:
                raise ValueError(f"{path}: trial {number}: {error}") from None
        return trials

    @cached_property
    def live(self) -> Live | None:
        """The progress of the search; None if it has ended. Its driver may be gone."""
        return read_live(self.files)

    @property
    def result(self) -> StudyResult:
        """The trials by how they ended, and their epochs."""
        most = self.spec.budget.max_epochs
        return StudyResult(self.finished, self.metric, most, also=self.goals.aims[1:])

    @property
    def best(self) -> FinishedTrial | None:
        """The trial with the best value, stopped or not; None if no trial is sound.

        Optuna's ``study.best_trial`` only considers trials that trained to the end. If a scheduler
        stops nearly all trials, it is another trial, or raises because there is none.
        """
        return self.result.best

    @property
    def trials(self) -> pd.DataFrame:
        """One row per finished trial: see :func:`pipelines.record.table.trials_table`."""
        return trials_table(self.finished, self.goals.requirements)

    @property
    def curves(self) -> pd.DataFrame:
        """One row per trial, epoch and metric: ``trial``, ``epoch``, ``metric``, ``value``."""
        return curves_table(self.finished)

    @property
    def study(self) -> optuna.Study:
        """The trials as a study for Optuna's own tools."""
        return load_latest(self.files.journal)


def _spec_of(settings: Mapping[str, Any], path: Path) -> StudySpec:
    """Raises ``ValueError`` for settings in ``path`` that this version does not have."""
    try:
        return StudySpec.model_validate(settings)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_of(error)}") from None


def open_run(folder: str | Path) -> Run:
    """The run in ``folder``, which may still be going on.

    Raises ``ValueError`` if it is not a run, or if its record has another format.
    """
    return Run(Path(folder).expanduser())


def recorded_space(run: Run) -> SearchSpace:
    """The space of ``run``, to search in it again.

    Raises ``ValueError`` if a user's own function forbids configs and cannot be found.
    """
    if run.forbids is None:
        return run.space
    if run.spec.problem.space:  # a lambda, for example, cannot be found by a name
        return replace(run.space, forbid=import_space(run.spec.problem.space).forbid)
    # A bound on the number of parameters is a setting of its own, and its name has no module.
    own = next((name for name in run.forbids.split(", ") if ":" in name), None)
    if own is None:
        return run.space
    try:
        forbid = import_object(own)
    except ValueError as error:
        raise ValueError(f"{run.files.folder} forbids configs: {error}") from None
    if not callable(forbid):
        raise ValueError(f"{run.files.folder} forbids configs by {own}, which is not a function")
    return replace(run.space, forbid=forbid)
