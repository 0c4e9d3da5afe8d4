"""This project's spaces in Optuna's define-by-run terms."""

from __future__ import annotations

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from search_spaces import Config, Float, Int, SearchSpace, Value
from search_spaces.domains import Domain


def sampler(algo: str, seed: int) -> BaseSampler:
    """Random search, or TPE with the settings of this project."""
    if algo == "random":
        return RandomSampler(seed=seed)
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def suggest(trial: optuna.Trial, space: SearchSpace) -> Config:
    """A config, parameter by parameter."""

    def choose(name: str, domain: Domain) -> Value:
        if domain.single:
            return domain.at(0.0)
        if isinstance(domain, Float):
            return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        if isinstance(domain, Int):
            return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
        chosen = trial.suggest_categorical(name, domain.options)
        assert chosen is not None
        return chosen

    return space.walk(choose)
