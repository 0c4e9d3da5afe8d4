"""A study: its settings, and what follows from them. All is checked, nothing is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.record.goals import SIZE, Goals
from pipelines.record.sessions import Session
from pipelines.record.trials import FinishedTrial, best_trial
from pipelines.study.circumstances import machine, versions
from pipelines.study.spec import StudySpec
from pipelines.tuner.ledger.before import Before
from pipelines.tuner.sampling.algorithms import ALGORITHMS, first_configs
from pipelines.tuner.sampling.samplers import Problem
from pipelines.tuner.scheduling.schedulers import SCHEDULERS, Scheduler, StoppingRules
from pipelines.tuner.worker.sent_code import sendable
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.smith.lr_range_rule import Bounds
from trainables.training.cross_validation import CrossValidated
from trainables.training.metrics import Metric
from trainables.training.objective import metric_of, objective_of
from trainables.training.trainable import Trainable

if TYPE_CHECKING:
    from trainables.smith.lr_range_test import RangeTest


@dataclass(frozen=True)
class Resumed:
    """How far a study that goes on had come."""

    search: Before
    repeats: Before
    planned_trials: int  # how many the algorithm planned for at first
    changes: Mapping[str, Mapping[str, Any]]  # of the settings, by group and field
    killed: Session | None  # the last session, if its driver was killed and the record has no end
    unreachable: Mapping[str, str]  # storages of before that do not answer, and why


@dataclass(frozen=True)
class Study:
    """What is searched, and how. ``spec`` has a metric and a name for the run."""

    spec: StudySpec
    space: SearchSpace
    trainable: Trainable  # for a single data set
    folds: tuple[TrialData, ...]  # one, if there is no cross-validation
    history: tuple[FinishedTrial, ...] = ()
    start_with: tuple[Config, ...] = ()
    lr_bounds: Mapping[str, Bounds] = field(default_factory=dict)  # if a range test was made
    lr_tests: Mapping[str, RangeTest] = field(default_factory=dict)  # that gave the bounds
    notes: tuple[str, ...] = ()  # what the search begins from, in lines for the user
    resumed: Resumed | None = None  # if it goes on

    @property
    def data(self) -> TrialData:
        """The data; the first fold if there are several."""
        return self.folds[0]

    @property
    def trial_data(self) -> TrialData | tuple[TrialData, ...]:
        """What a trial receives."""
        return self.folds if len(self.folds) > 1 else self.data

    @cached_property
    def trial_trainable(self) -> Trainable:
        """What a trial runs on :attr:`trial_data`. Raises ``ValueError`` if a user's own function
        cannot be sent to a worker."""
        sent = sendable(self.trainable)
        return CrossValidated(sent) if len(self.folds) > 1 else sent

    @property
    def network(self) -> Network | None:
        """None if the trainable is the user's own function."""
        return self.trainable if isinstance(self.trainable, Network) else None

    @property
    def metric_name(self) -> str:
        """A name in METRICS."""
        assert self.spec.problem.metric is not None  # prepare() has set it
        return self.spec.problem.metric

    @property
    def metric(self) -> Metric:
        """The metric, with its worst score on these data, in the units of the target."""
        return metric_of(self.metric_name, self.folds)

    @property
    def goals(self) -> Goals:
        """All objectives and requirements."""
        return self.spec.problem.goals

    @property
    def network_size(self) -> Callable[[Config], int] | None:
        """Counts the parameters of a config's network, if a goal needs them."""
        if self.network is None or SIZE not in self.goals.names:
            return None
        return partial(self.network.size, data=self.data)

    @property
    def yielded(self) -> tuple[str, ...]:
        """What the trainable must yield besides the metric."""
        own = (SIZE,) if self.network_size is None and SIZE in self.goals.names else ()
        return (*(name for name in self.goals.reported if name != self.metric_name), *own)

    @property
    def largest_class(self) -> tuple[str, float] | None:
        """The most frequent class and its share of the training samples; None for a regression."""
        if self.data.task == "regression":
            return None
        shares = replace(self.data, class_weights=()).class_shares
        largest = int(shares.argmax())
        return self.data.class_names[largest], float(shares[largest])

    @property
    def folder(self) -> Path:
        """The folder of the run, which may not exist yet."""
        assert self.spec.run.name is not None  # prepare() has chosen it
        return self.spec.run.runs_dir.expanduser().absolute() / self.spec.run.name

    @cached_property
    def problem(self) -> Problem:
        """What the search algorithm has to solve."""
        return Problem(
            space=self.space,
            mode=self.metric.mode,
            seed=self.spec.search.seed,
            max_trials=self.resumed.planned_trials if self.resumed else self.spec.budget.trials,
            grid_levels=self.spec.search.levels,
            history=self.history,
            start_with=self.start_with,
            prior=self.spec.space.prior,
            also=self.goals.aims[1:],
            requirements=self.goals.requirements,
            metric=self.metric_name,
        )

    @cached_property
    def size(self) -> int | None:
        """The number of configs of a grid; None if the search does not end by itself."""
        size = ALGORITHMS[self.spec.search.algo].size
        return None if size is None else size(self.problem)

    @cached_property
    def tried_first(self) -> int:
        """How many configs are tried before the algorithm suggests any."""
        done = [trial.config for trial in self.history]
        first = first_configs(ALGORITHMS[self.spec.search.algo], self.problem)
        return sum(config not in done and not self.space.forbids(config) for config in first)

    @property
    def trials(self) -> int:
        """How many trials there will be, unless something ends the study early."""
        return self.spec.budget.trials if self.size is None else self.size

    @property
    def trials_left(self) -> int:
        """How many of the ``trials`` have not ended under an earlier driver."""
        ended = 0 if self.resumed is None else len(self.resumed.search.ended)
        return max(0, self.trials - ended)

    @property
    def scheduler(self) -> Scheduler:
        return SCHEDULERS[self.spec.stopping.scheduler]

    @property
    def stopping(self) -> StoppingRules:
        """The rules for the scheduler."""
        return StoppingRules(
            metric=self.metric_name,
            mode=self.metric.mode,
            max_epochs=self.spec.budget.max_epochs,
            grace_period=self.spec.stopping.grace_period,
            reduction_factor=self.spec.stopping.reduction_factor,
            space=self.space,
            seed=self.spec.search.seed,
        )

    @property
    def chance_loss(self) -> float | None:
        """The loss of a network that has learnt nothing; None if it is not known."""
        return None if self.network is None else objective_of(self.data).chance_loss

    @property
    def best_before(self) -> float | None:
        """The best value in the history."""
        best = best_trial(self.history, self.metric)
        return None if best is None else best.value

    @property
    def preprocessing(self) -> list[dict[str, Any]]:
        """What made the inputs of each fold, for the record; empty for data that were made by
        hand."""
        fitted = [data.preprocessing for data in self.folds]
        return [each.to_dict() for each in fitted if each is not None]

    def prepared(self) -> dict[str, Any]:
        """What follows from the settings, for the record: exact space, data, versions."""
        data = self.data
        learnt_from = [trial.trial_id for trial in self.history]
        return {
            "space": self.space.to_dict(),
            "data": {
                "name": data.name,
                "task": data.task,
                "fingerprint": data.fingerprint,
                "train": len(data.x_train),
                "validation": len(data.x_val),
                "input_shape": list(data.input_shape),
                "classes": list(data.class_names),
                "notes": list(data.notes),
            },
            **({"start_with": list(map(dict, self.start_with))} if self.start_with else {}),
            **({"learnt_from": learnt_from} if self.spec.space.seed_from else {}),
            "lr_bounds": {name: asdict(bounds) for name, bounds in self.lr_bounds.items()},
            "lr_tests": {name: test.as_dict() for name, test in self.lr_tests.items()},
            "algorithm": ALGORITHMS[self.spec.search.algo].words,
            "versions": versions(),
            "machine": machine(),
        }
