"""Finished trials on disk, in Optuna's journal format for every algorithm: ``optuna-dashboard`` and
``optuna.load_study`` can read it.

Only the driver writes, one line per finished trial, so a crash loses no finished trial. Running
trials are not in the journal: after a crash they would stay there as running, and each change of a
trial would cost as much to write as a whole trial.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipelines.record.events import names_of_ended
from pipelines.record.files import RunFiles
from pipelines.record.goals import Goals
from pipelines.record.lines import torn
from pipelines.record.patience import naming, patient
from pipelines.record.trials import FinishedTrial, State, latest
from search_spaces import Float, Int, SearchSpace
from search_spaces.domains import Domain

STUDY = "rangefinder"
DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
STATES = {
    State.COMPLETE: TrialState.COMPLETE,
    State.PRUNED: TrialState.PRUNED,
    State.FAIL: TrialState.FAIL,
}
_OURS = {theirs: ours for ours, theirs in STATES.items()}
_OF_OPTUNA = ("config", "state", "curve")  # fields that Optuna has itself

optuna.logging.set_verbosity(optuna.logging.WARNING)  # our own display prints a line per trial


def distribution(domain: Domain) -> BaseDistribution:
    """The Optuna distribution of a domain."""
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    if isinstance(domain, Int):
        return IntDistribution(domain.low, domain.high, log=domain.log)
    return CategoricalDistribution(domain.options)


class Journal:
    """Appends finished trials to the file ``path``, which it makes if it does not exist."""

    def __init__(self, path: Path, space: SearchSpace, goals: Goals) -> None:
        self._space = space
        self._goals = goals
        self._path = path
        with naming(path):
            self._study = optuna.create_study(
                study_name=STUDY,
                storage=JournalStorage(_Appending(path)),
                directions=[DIRECTIONS[aim.mode] for aim in goals.aims],
                load_if_exists=True,
            )

    @patient
    def append(self, trial: FinishedTrial) -> None:
        """Write ``trial``: it is on disk when this returns."""
        frozen, size = _frozen(trial, self._space, self._goals), self._path.stat().st_size
        try:
            self._study.add_trial(frozen)
        except OSError as error:
            os.truncate(self._path, size)  # the disk may be full in the middle of a line
            error.filename = error.filename or str(self._path)
            raise


def load_journal(path: Path) -> list[FinishedTrial]:
    """The trials in the order in which they finished, each with its last entry: a trial that was
    cut short and resumed has two entries. An incomplete last line is ignored.

    Raises ``ValueError`` if there is no such file, or if it has lost trials: a driver that is
    killed costs only the last line.
    """
    return latest(load_entries(path))


def load_entries(path: Path) -> list[FinishedTrial]:
    """All entries of the file, in its order. Raises what :func:`load_journal` raises."""
    events = _events_of(path)
    ended = names_of_ended(events)  # read first: of each trial, the driver writes the event last
    trials: list[FrozenTrial] = []
    torn_off = 0  # trials whose line may be cut short
    try:
        if path.is_file():
            started = path.stat().st_size > torn(path)  # before it is read: it may just be starting
            trials, torn_off = load_study(path).get_trials(deepcopy=False), 1
    except KeyError:  # the first line, which makes the study, is not there or not complete
        if started:
            raise ValueError(f"{path} has lost its first line: restore it") from None
    except Exception as error:  # Optuna may raise anything for a file that was changed
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    entries = [_finished(trial, path) for trial in trials if trial.state in _OURS]
    lost = ended - {trial.trial_id for trial in entries if not trial.cut_short}
    if len(lost) > torn_off:
        raise ValueError(
            f"{path} has {len(ended) - len(lost)} of {len(ended)} ended trials: restore it, or "
            f"delete {events.name} to do without the others"
        )
    if not path.is_file():
        raise ValueError(
            f"{path.parent} has no {path.name}: either its driver was killed before the first "
            "trial, and run.py --resume begins it, or the file is lost"
        )
    return entries


def _events_of(path: Path) -> Path:
    files = RunFiles(path.parent)
    return files.repeats_events if path == files.repeats else files.events


class JournalReader:
    """Reads a growing journal. Each entry is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._study: optuna.Study | None = None
        self._entries: list[FinishedTrial] = []

    def trials(self) -> list[FinishedTrial]:
        """What :func:`load_journal` would return now, but without noticing that trials are lost;
        empty before the first line is complete."""
        if self._study is None and self._path.is_file():
            with suppress(KeyError):
                self._study = load_study(self._path)
        if self._study is not None:
            ended = [t for t in self._study.get_trials(deepcopy=False) if t.state in _OURS]
            new = ended[len(self._entries) :]
            self._entries += [_finished(trial, self._path) for trial in new]
        return latest(self._entries)


def load_study(path: Path) -> optuna.Study:
    """The study for Optuna's own tools. Raises ``KeyError`` if the file holds no study yet."""
    return optuna.load_study(study_name=STUDY, storage=_storage(path))


def load_latest(path: Path) -> optuna.Study:
    """The same study with only the last entry of each trial. Raises as :func:`load_study` does."""
    study = load_study(path)
    entries = study.get_trials(deepcopy=False)
    latest = {entry.user_attrs.get("trial_id", entry.number): entry for entry in entries}
    if len(latest) == len(entries):
        return study
    one_each = optuna.create_study(study_name=STUDY, directions=study.directions)
    one_each.add_trials(latest.values())
    return one_each


class _NoLock(BaseJournalFileLock):
    """No lock, because only one process writes: the one that holds the run
    (:mod:`pipelines.record.lock`). Optuna's lock is a file. A killed driver would leave it behind,
    and the next driver would wait for it."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class _Appending(JournalFileBackend):
    """Reads only the first line, which creates the study, and none of the trials."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=_NoLock())
        self._known = list(itertools.islice(super().read_logs(0), 1))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        yield from self._known[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs(logs)
        self._known += logs


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path), lock_obj=_NoLock()))


def _frozen(trial: FinishedTrial, space: SearchSpace, goals: Goals) -> FrozenTrial:
    """``trial`` as Optuna would have recorded it. With one objective, a pruned trial has its last
    value; a failed trial has none."""
    frozen = create_trial(
        state=STATES[trial.state],
        values=_values(trial, goals),
        params=dict(trial.config),
        distributions={name: distribution(space.domains[name]) for name in trial.config},
        intermediate_values=dict(trial.curve),
        user_attrs=_attributes(trial),
        constraints=None if trial.state is State.FAIL else goals.violations(trial),
    )
    frozen.datetime_start = datetime.fromtimestamp(trial.started)
    frozen.datetime_complete = datetime.fromtimestamp(trial.started + trial.seconds)
    return frozen


def _values(trial: FinishedTrial, goals: Goals) -> list[float] | None:
    if trial.state is State.COMPLETE:
        assert trial.value is not None  # a complete training has a value
        others = [value for value in goals.values(trial)[1:] if value is not None]
        return [trial.value, *others]
    if trial.state is State.FAIL or goals.several or not trial.curve:
        return None
    return [trial.curve[max(trial.curve)]]


def _attributes(trial: FinishedTrial) -> dict[str, Any]:
    names = [field.name for field in fields(trial) if field.name not in _OF_OPTUNA]
    attributes = {name: _plain(getattr(trial, name)) for name in names}
    return {"diverged": trial.diverged, **attributes}


def _plain(value: object) -> object:
    """``value`` in types that JSON has."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _finished(trial: FrozenTrial, path: Path) -> FinishedTrial:
    """Raises ``ValueError`` for a trial that was not written in the form of :func:`_frozen`."""
    try:
        return _thawed(trial)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"is not one of Rangefinder's: {type(error).__name__}: {error}"
        raise ValueError(f"{path}: trial {trial.number} {reason}") from None


def _whole(value: Any) -> Any:
    """``value``; a text with lone surrogates escaped, because tables and files refuse them."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _thawed(trial: FrozenTrial) -> FinishedTrial:
    names = {field.name for field in fields(FinishedTrial)}
    attributes: dict[str, Any] = {k: _whole(v) for k, v in trial.user_attrs.items() if k in names}
    if not isinstance(attributes["trial_id"], str):
        raise TypeError(f"trial_id is {attributes['trial_id']!r}")
    for name in ("changes", "planned"):
        by_epoch = attributes.get(name, {})
        attributes[name] = {int(epoch): value for epoch, value in by_epoch.items()}
    return FinishedTrial(
        config={name: _whole(value) for name, value in trial.params.items()},
        state=_OURS[trial.state],
        curve=dict(trial.intermediate_values),
        **attributes,
    )
