"""Training chosen configs again: on train and validation together, with several seeds at once."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import ray
from ray.exceptions import RayError

from pipelines.cluster.room import room
from pipelines.cluster.sharing import no_cuda_at
from pipelines.cluster.word import take_word
from pipelines.record.trials import FinishedTrial
from pipelines.study.prepare import load_problem, network_of
from pipelines.study.references import check_trainable, import_trainable, reference_of
from pipelines.study.runs import Run
from pipelines.study.spec import StudySpec
from pipelines.tuner.outcome import explain
from pipelines.tuner.worker.sent_code import sendable
from pipelines.winner.candidates import Candidate
from pipelines.winner.one_training import Training, train
from trainables.data.datasets import DATASETS, TrialData
from trainables.training.trainable import Trainable

if TYPE_CHECKING:
    from torch import nn

# Ray forgets the cancellation of a task that is on its way to a process: the next one ends it. If
# such a task ends at that moment, Ray ends this process. So those that wait are cancelled first:
# no process is free for them then.
_CANCELLATIONS = 5


def trainable_of(run: Run) -> Trainable:
    """The trainable of ``run``.

    Raises ``ValueError`` if it is a user's own function that cannot be found.
    """
    problem = run.spec.problem
    if not problem.trainable:
        return network_of(run.spec)
    return run.trainable or import_trainable(problem.trainable)


def give_trainable(run: Run, trainable: Trainable | None) -> None:
    """Let ``run`` be trained with the user's own function ``trainable``, if it is given.

    Raises ``ValueError`` if the function of ``run`` cannot be found, or if ``trainable`` has other
    parameters, or is given for a run of a model.
    """
    if trainable is not None:
        if not run.spec.problem.trainable:
            searched = f"{run.files.folder} searched `model={run.spec.problem.model}`"
            raise ValueError(f"{searched}: it takes no trainable=")
        check_trainable(trainable, reference_of(trainable))
    run.trainable = trainable
    trainable_of(run)


def search_data(run: Run) -> tuple[TrialData, ...]:
    """The data that the trials of ``run`` received, one entry for each fold.

    Raises ``ValueError`` if the data can no longer be loaded, or have changed.
    """
    folds = _load(run, run.spec)
    _check_same(run, folds[0])
    return folds


def all_but_test(run: Run) -> TrialData:
    """Train and validation together, to train on, even if the search used only a share of them.
    They are encoded and scaled by the search's train split. The validation split stays as it was:
    its rows are among the train rows now.

    Raises what :func:`search_data` raises.
    """
    (data,) = _load(run, run.spec.but(problem={"folds": None, "data_fraction": 1.0}))
    _check_same(run, data)
    return replace(
        data,
        x_train=np.concatenate([data.x_train, data.x_val]),
        y_train=np.concatenate([data.y_train, data.y_val]),
    )


def _load(run: Run, spec: StudySpec) -> tuple[TrialData, ...]:
    """Raises ``ValueError`` if the data cannot be loaded; the message says where to look."""
    try:
        return load_problem(spec)
    except ValueError as error:
        raise ValueError(f"{error}{_where_to_look(run)}") from None


def _where_to_look(run: Run) -> str:
    """Which folder the data's path is relative to, for a message, if it is read from another."""
    source = run.spec.problem.data
    path, start = Path(source).expanduser(), _start_of(run)
    if source in DATASETS or path.is_absolute():
        return ""
    there = start / path
    if path.exists() and (not there.exists() or there.samefile(path)):
        return ""
    read = f"'{path.absolute()}' was read, but " if path.exists() else ""
    known = f", {start}" if there.exists() else ""
    return (
        f": {read}the path is relative to the folder where the search was started{known}: run the "
        "command there"
    )


def _start_of(run: Run) -> Path:
    """The folder where the search was started, provided that the run has not been moved."""
    folder, runs_dir = run.files.folder.resolve(), run.spec.run.runs_dir
    depth = 0 if runs_dir.is_absolute() else len(runs_dir.parts)
    return folder.parents[min(depth, len(folder.parents) - 1)]


def _check_same(run: Run, data: TrialData) -> None:
    if data.fingerprint != run.data.fingerprint:
        raise ValueError(
            f"'{run.spec.problem.data}' has changed since {run.files.folder} searched on it"
            f"{_where_to_look(run)}"
        )


def unused_seeds(run: Run, n: int) -> tuple[int, ...]:
    """The first ``n`` seeds that the search has not used."""
    first = run.spec.search.seed + 1 + (run.spec.budget.repeats or 0)
    return tuple(range(first, first + n))


def training_of(run: Run, candidate: Candidate, seed: int) -> Training:
    """A training of ``candidate`` as in the search, but with ``seed``."""
    return Training(
        candidate.trial.config,
        candidate.epochs,
        candidate.max_epochs,
        seed,
        candidate.number,
        _gpus(run, candidate.trial),
        run.goals.reported,
    )


def _gpus(run: Run, trial: FinishedTrial) -> float:
    """The share of a GPU that the search asks for, or the larger share that ``trial`` had: it may
    not fit into less. If the search does not ask for a share, the number that it asks for."""
    asked = run.spec.resources.trial.gpus
    return max(asked, min(trial.gpus, 1.0)) if 0 < asked < 1 else asked


@dataclass(frozen=True)
class Repeated:
    """The networks of some candidates, by the seed that they were trained with.

    If a training diverges with some seed, an ensemble loses its trial. With a single trial, or if
    no trial would be left, the seed is left out instead.
    """

    candidates: tuple[Candidate, ...]
    networks: Mapping[int, Sequence[nn.Module]]  # for each seed, one for each candidate
    diverged: tuple[int, ...]  # the seeds that are left out
    unsound: tuple[int, ...]  # the numbers of the trials that are left out

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.networks)


def train_again(
    run: Run,
    data: TrialData,
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    done: Callable[[int], None] = lambda n: None,
) -> Repeated:
    """Train ``candidates`` on ``data`` with each of ``seeds``, on the connected cluster, and bring
    the networks to the CPU. ``done`` is told how many trainings are done.

    Raises ``ValueError`` if a training fails, or if with every seed some training diverges.
    """
    trainings = [training_of(run, c, seed) for seed in seeds for c in candidates]
    models = iter(train_all(run, data, trainings, done))
    trained = {(seed, c.number): next(models) for seed in seeds for c in candidates}
    unsound = {number for (_, number), model in trained.items() if model is None}
    if len(unsound) == len(candidates):  # none would be left: see Repeated
        unsound.clear()
    kept = tuple(c for c in candidates if c.number not in unsound)
    networks = {}
    for seed in seeds:
        sound = [model for c in kept if (model := trained[seed, c.number]) is not None]
        if len(sound) == len(kept):
            networks[seed] = sound
    if not networks:
        which = ", ".join(str(number) for number in sorted(c.number for c in candidates))
        raise ValueError(
            f"with every seed a training of trial {which} diverged: choose another `trial`"
        )
    diverged = tuple(seed for seed in seeds if seed not in networks)
    return Repeated(kept, networks, diverged, tuple(sorted(unsound)))


def train_all(
    run: Run,
    data: TrialData,
    trainings: Sequence[Training],
    done: Callable[[int], None] = lambda n: None,
) -> list[nn.Module | None]:
    """Run ``trainings`` with the trainable of ``run`` on ``data``, on the connected cluster, as
    many at once as there is room for. The result of a training that diverged is None. ``done`` is
    told how many are done.

    Raises ``ValueError`` if a training fails, which ends all; the message is one line.
    """
    cpus = run.spec.resources.trial.cpus
    # A process that has used a GPU keeps this GPU, and memory of it: each training gets a new one.
    on_gpus = any(training.gpus for training in trainings)
    task = ray.remote(num_cpus=cpus, max_calls=1 if on_gpus else 0)(train)
    key, without_cuda = secrets.token_hex(8), {""}
    with room():
        given = ray.put((sendable(trainable_of(run)), data, key))
    waiting = {task.options(num_gpus=t.gpus).remote(given, t, cpus): t for t in trainings}
    models, left = {}, list(waiting)
    try:
        while left:
            (finished,), left = ray.wait(left)
            models[finished] = _model(finished, waiting[finished])
            if (address := take_word(key)) not in without_cuda:
                without_cuda.add(address)
                print(f"warning   {no_cuda_at(address)}", file=sys.stderr, flush=True)
            done(len(models))
    finally:
        _cancel(left)
    return [models[reference] for reference in waiting]


def _cancel(trainings: Sequence[ray.ObjectRef]) -> None:
    """End ``trainings``: Ray would try them again, and say so, after an interruption has ended
    their processes. In a notebook they would go on."""
    left = list(trainings)
    with suppress(RayError):  # the cluster may be gone
        for _ in range(_CANCELLATIONS):
            if not left:
                return
            for reference in reversed(left):  # those that wait are the last
                ray.cancel(reference, force=True)
            _, left = ray.wait(left, num_returns=len(left), timeout=1.0)


def _model(finished: ray.ObjectRef, training: Training) -> nn.Module | None:
    """The result of ``training``."""
    try:
        model: nn.Module | None = ray.get(finished)
    except RayError as error:
        why = explain(error, str(error), node="", alive=lambda node: True).error
        which = f"trial {training.number} with seed {training.seed}"
        raise ValueError(f"{which} cannot be trained again: {why}") from None
    return model
