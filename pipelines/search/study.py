"""A study: its specification, running it on Ray Tune, and what came out."""

from __future__ import annotations

import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ray import cloudpickle, tune

import trainables
from pipelines.cluster.connect import is_alive
from pipelines.search.algorithms import make_sampler
from pipelines.search.attempts import unpack
from pipelines.search.callback import StudyCallback
from pipelines.search.progress import Observer, Progress
from pipelines.search.record import Record
from pipelines.search.samplers import Problem, Sampler
from pipelines.search.schedulers import PAUSING, SCHEDULERS, StoppingRules
from pipelines.search.searcher import StudySearcher
from pipelines.search.stopper import StudyStopper
from pipelines.search.trial import StudyTrial, Trainable, TrialSettings
from pipelines.search.trials import FinishedTrial, State, best_trial
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.training.metrics import METRICS
from trainables.training.objective import objective_of

_PACKAGES = ("rangefinder", "ray", "optuna", "hyperopt", "torch", "scikit-learn", "numpy")


@dataclass(frozen=True)
class StudySpec:
    """Everything that decides what a study does, resolved; written to ``spec.json``."""

    algo: str
    model: str  # a name in NETWORKS, or the user's package.module:function
    data: str
    metric: str
    trials: int
    max_epochs: int
    scheduler: str = "asha"
    grace_period: int = 1
    reduction_factor: float = 3
    seed: int = 0
    folds: int = 0  # of cross-validation; 0 is one split
    repeats: int = 0  # seeds with which the best configs are trained again
    target: str | None = None
    data_fraction: float = 1.0
    time_budget: float | None = None  # seconds
    target_value: float | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    max_concurrent: int | None = None
    max_failures: int = 0  # times that a trial which fails is tried again
    storage: str | None = None
    grid_levels: dict[str, int] = field(default_factory=dict)
    max_parameters: float | None = None  # of the network
    seed_from: str | None = None  # the runs and the file that the search began from
    start_with: str | None = None
    zoom_from: str | None = None
    lr_bounds: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the range test


@dataclass(frozen=True)
class Summary:
    """What came out of a study, from its finished trials."""

    trials: list[FinishedTrial]
    best: FinishedTrial | None
    ended_by: str  # "" where it did all it was asked for
    max_epochs: int

    @property
    def complete(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.state is State.COMPLETE]

    @property
    def stopped(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.stopped_by == "scheduler"]

    @property
    def diverged(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.diverged]

    @property
    def failed(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.state is State.FAIL]

    @property
    def cut_short(self) -> list[FinishedTrial]:
        """Those that were running when the study ended."""
        return [t for t in self.trials if t.stopped_by and t.stopped_by == self.ended_by]

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return sum(t.epochs for t in self.trials)

    @property
    def epochs_saved(self) -> int:
        """Epochs that the scheduler and the divergence guard did not let run."""
        return sum(self.max_epochs - t.epochs for t in self.stopped + self.diverged)


def run_study(
    spec: StudySpec,
    *,
    folder: Path,
    space: SearchSpace,
    trainable: Trainable,
    data: TrialData | tuple[TrialData, ...],
    slots: Callable[[], int],
    observer: Observer,
    history: tuple[FinishedTrial, ...] = (),
    start_with: tuple[Config, ...] = (),
    sampler: Sampler | None = None,
    gpus: Callable[[], float] | None = None,
) -> Summary:
    """Search ``space`` on the connected cluster; the record lies in ``folder`` as it goes.

    The algorithm learns from the ``history`` before it starts, and tries ``start_with`` first;
    ``sampler`` takes the place of all that. With ``spec.folds``, ``data`` is the folds. ``gpus``
    says what a trial that is about to start gets; ``spec.gpus_per_trial`` where it is not given.

    Raises:
        ValueError: ``folder`` exists, or the algorithm refuses the space (a grid larger than the
            number of trials).
    """
    _send_by_value(trainable)
    mode = METRICS[spec.metric].mode
    sampler = sampler or make_sampler(
        spec.algo,
        problem_of(spec, space, history, start_with),
        worst=METRICS[spec.metric].worst,
    )
    rules = StoppingRules(
        spec.metric,
        mode,
        spec.max_epochs,
        spec.grace_period,
        spec.reduction_factor,
        space,
        spec.seed,
    )
    storage = spec.storage or str(folder)
    settings = TrialSettings(
        trainable,
        spec.metric,
        spec.max_epochs,
        spec.seed,
        spec.cpus_per_trial,
        storage,
        must_resume=spec.scheduler in PAUSING,
    )
    # The whole population takes turns.
    at_once = (lambda: spec.trials) if spec.scheduler == "pbt" else slots
    searcher = StudySearcher(sampler, spec.trials, at_once)
    record = Record(folder, describe(spec, space, data), space, mode)
    stopper = StudyStopper(spec.metric, spec.target_value, spec.time_budget)
    callback = StudyCallback(
        metric=spec.metric,
        sampler=sampler,
        record=record,
        stopper=stopper,
        observer=observer,
        progress=Progress(total=_total(spec, space), time_budget=spec.time_budget),
        retries=searcher,
        max_failures=spec.max_failures,
        alive=is_alive,
        chance_loss=None if ":" in spec.model else objective_of(_first(data)).chance_loss,
    )
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(StudyTrial, settings=settings, data=data),
            partial(_resources, spec.cpus_per_trial, gpus or (lambda: spec.gpus_per_trial)),
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=SCHEDULERS[spec.scheduler](rules),
            num_samples=-1,  # the sampler says when there is nothing left
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=folder.name if spec.storage else record.files.ray.name,
            storage_path=storage,
            callbacks=[callback],
            stop=stopper,
            # The callback asks for a checkpoint where one is worth it: not at every trial's end.
            # Population based training may still want the one before the last.
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=4 if spec.scheduler == "pbt" else 1, checkpoint_at_end=False
            ),
            verbose=0,
        ),
    )
    with _interruptible(stopper):
        tuner.fit()
    record.write_table()
    best = best_trial(record.trials, METRICS[spec.metric])
    return Summary(record.trials, best, stopper.reason, spec.max_epochs)


def problem_of(
    spec: StudySpec,
    space: SearchSpace,
    history: tuple[FinishedTrial, ...] = (),
    start_with: tuple[Config, ...] = (),
) -> Problem:
    """What the algorithm of ``spec`` has to solve."""
    return Problem(
        space=space,
        mode=METRICS[spec.metric].mode,
        seed=spec.seed,
        max_trials=spec.trials,
        grid_levels=spec.grid_levels,
        history=history,
        start_with=start_with,
    )


def _send_by_value(trainable: Trainable) -> None:
    """A user's module goes to the workers with his function: it need not be installed there."""
    while hasattr(trainable, "trainable"):  # cross-validated, or with seeds of its own
        trainable = trainable.trainable
    name = getattr(trainable, "__module__", "")
    if name.partition(".")[0] != trainables.__name__:
        cloudpickle.register_pickle_by_value(sys.modules[name])


def _resources(
    cpus: float, gpus: Callable[[], float], config: dict[str, Any]
) -> tune.PlacementGroupFactory:
    """What Ray reserves for a trial; an attempt may need a larger share of a GPU."""
    share = max(gpus(), unpack(config)[1].gpus or 0.0)
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": share}])


def describe(
    spec: StudySpec, space: SearchSpace, data: TrialData | tuple[TrialData, ...]
) -> dict[str, Any]:
    """The contents of ``spec.json``."""
    return {
        **asdict(spec),
        "space": {
            name: f"{domain}{f' when {domain.when}' if domain.when else ''}"
            for name, domain in space.domains.items()
        },
        "data_fingerprint": _first(data).fingerprint,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
    }


def _first(data: TrialData | tuple[TrialData, ...]) -> TrialData:
    return data[0] if isinstance(data, tuple) else data


def _total(spec: StudySpec, space: SearchSpace) -> int:
    return space.grid_size(spec.grid_levels) if spec.algo == "grid" else spec.trials


@contextmanager
def _interruptible(stopper: StudyStopper) -> Iterator[None]:
    """The first Ctrl-C asks the study to stop; the second does what Ctrl-C always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(signum: int, frame: object) -> None:
        stopper.request("interrupt")
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
