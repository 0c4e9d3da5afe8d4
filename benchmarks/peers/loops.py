"""The loops that are compared: a recipe of this project, and what one writes by hand with Optuna or
HyperOpt."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import hyperopt
import numpy as np
import optuna
from hyperopt import tpe
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_RUNNING, Domain, spec_from_misc
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler

from benchmarks.sets.functions import Function
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import Config
from trainables.training.metrics import METRICS

PENALTY = METRICS["val_loss"].worst  # the value that a search is told for a diverged trial


class Loop(Protocol):
    """One search. Between ``ask`` and ``tell`` the trial ``number`` is pending."""

    def ask(self, number: int) -> Config: ...

    def tell(self, number: int, config: Config, value: float) -> None: ...


class OursLoop:
    """A recipe of this project, told of divergence as in the pipeline."""

    def __init__(self, algo: str, function: Function, seed: int, trials: int) -> None:
        self._sampler = ALGORITHMS[algo](Problem(function.space, "min", seed, trials))

    def ask(self, number: int) -> Config:
        config = self._sampler.ask(str(number))
        assert config is not None  # no space here is finite
        return config

    def tell(self, number: int, config: Config, value: float) -> None:
        state, by = (State.COMPLETE, "") if math.isfinite(value) else (State.PRUNED, "divergence")
        told = finite(value)
        self._sampler.tell(
            FinishedTrial(str(number), config, state, {1: told}, told, best_epoch=1, stopped_by=by)
        )


class OptunaLoop:
    """Optuna's own ask and tell; a diverged trial is told as the penalty."""

    def __init__(self, sampler: BaseSampler, function: Function) -> None:
        self._study = optuna.create_study(sampler=sampler)
        self._suggest = function.suggest
        self._pending: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Config:
        self._pending[number] = self._study.ask()
        return self._suggest(self._pending[number])

    def tell(self, number: int, config: Config, value: float) -> None:
        self._study.tell(self._pending.pop(number), finite(value))


class HyperOptLoop:
    """What ``fmin`` does with asynchronous trials: ``tpe.suggest`` on one new id while the others
    run; a diverged trial is told as the penalty."""

    def __init__(self, function: Function, seed: int) -> None:
        self._function = function
        self._rng = np.random.default_rng(seed)
        self._trials = hyperopt.Trials()
        self._domain = Domain(None, function.nested)

    def ask(self, number: int) -> Config:
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = self._rng.integers(2**31 - 1)
        documents = tpe.suggest(ids, self._domain, self._trials, seed, verbose=False)
        documents[0]["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        spec = spec_from_misc(documents[0]["misc"])
        return self._function.flatten(hyperopt.space_eval(self._function.nested, spec))

    def tell(self, number: int, config: Config, value: float) -> None:
        document = self._trials._dynamic_trials[number]
        document["state"] = JOB_STATE_DONE
        document["result"] = {"status": hyperopt.STATUS_OK, "loss": finite(value)}
        self._trials.refresh()


def finite(value: float) -> float:
    """The value that a search is told: ``value``, or the penalty if it is not finite."""
    return value if math.isfinite(value) else PENALTY


def optuna_tpe(seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def optuna_gp(seed: int) -> BaseSampler:
    independent = TPESampler(seed=seed)
    return GPSampler(seed=seed, independent_sampler=independent, warn_independent_sampling=False)


def optuna_cmaes(seed: int) -> BaseSampler:
    independent = TPESampler(seed=seed)
    return CmaEsSampler(seed=seed, independent_sampler=independent, warn_independent_sampling=False)


NATIVE: dict[str, Callable[[Function, int], Loop]] = {
    "optuna": lambda function, seed: OptunaLoop(optuna_tpe(seed), function),
    "hyperopt": HyperOptLoop,
    "gp": lambda function, seed: OptunaLoop(optuna_gp(seed), function),
    "cmaes": lambda function, seed: OptunaLoop(optuna_cmaes(seed), function),
}
