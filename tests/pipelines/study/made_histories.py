"""Histories to zoom in on, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.record.trials import FinishedTrial, State
from search_spaces import AtLeast, Choice, Config, Float, Int, OneOf, SearchSpace, Value
from trainables.training.metrics import METRICS

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]


def finished(trial_id: object, config: Config, value: float, **more: Any) -> FinishedTrial:
    more = {"state": State.COMPLETE, **more}
    return FinishedTrial(str(trial_id), config, curve={1: value}, value=value, best_epoch=1, **more)


def from_best_to_worst(*configs: Config) -> list[FinishedTrial]:
    return [finished(n, config, 0.9 - 0.01 * n) for n, config in enumerate(configs)]


def history(space: SearchSpace, seed: int, n: int = 40) -> list[FinishedTrial]:
    rng = np.random.default_rng(seed)
    return [finished(i, space.sample(rng), rng.random()) for i in range(n)]


def extremes(space: SearchSpace, edge: float, n: int = 60) -> list[FinishedTrial]:
    """A history whose best trials lie at the lower (0) or the upper (1) edge of every range."""
    rng = np.random.default_rng(0)

    def choose(name: str, domain: Any) -> Value:
        value: Value = domain.at(rng.random() if isinstance(domain, Choice) else edge)
        return value

    return [finished(i, space.walk(choose), rng.random()) for i in range(n)]


NESTED = SearchSpace(
    {
        "kind": Choice(("plain", "wave", "step")),
        "n_layers": Int(1, 4),
        **{f"width_{i}": Int(8, 64, when=AtLeast("n_layers", i)) for i in range(1, 5)},
        "phase": Float(0.0, 1.0, when=OneOf("kind", ("wave",))),
        "height": Float(0.0, 1.0, when=OneOf("kind", ("wave", "step"))),
    },
    grid_levels={"kind": 3, "width_4": 2, "phase": 2},
    try_first=({"kind": "plain", "n_layers": 1, "width_1": 8},),
)


def nested(kind: str, n_layers: int) -> Config:
    given: Config = {"kind": kind, "n_layers": n_layers}
    return NESTED.walk(lambda name, domain: given[name] if name in given else domain.at(0.5))
