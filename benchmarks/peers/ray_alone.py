"""A search with Ray Tune alone, as its documentation says: a function that reports each epoch, its
searcher of Optuna, its ASHA. On this project's space, networks and data.

    python benchmarks/peers/ray_alone.py FOLDER --trials 40 --reuse-actors
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import ray
from cyclopts import run
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from benchmarks.peers.suggesting import sampler, suggest
from benchmarks.peers.training import gather, train
from search_spaces import SPACES, SearchSpace
from trainables.data.datasets import load


def defined_by_run(trial: optuna.Trial, space: SearchSpace) -> None:
    suggest(trial, space)


def main(
    folder: Path,
    *,
    trials: int = 40,
    algo: str = "optuna",
    data: str = "digits",
    model: str = "mlp",
    epochs: int = 30,
    seed: int = 0,
    slots: int = 2,
    reuse_actors: bool = False,
) -> None:
    """Search, and leave what was trained in FOLDER/work.json."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(config: dict[str, Any], data: Any) -> None:
        for metrics in train(folder, config, data, model=model, epochs=epochs, seed=seed):
            tune.report(metrics)

    ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
    space = partial(defined_by_run, space=SPACES[model])
    searcher = OptunaSearch(space, "val_accuracy", "max", sampler=sampler(algo, seed))
    tune.Tuner(
        tune.with_parameters(objective, data=load(data)),
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=trials,
            search_alg=ConcurrencyLimiter(searcher, slots),
            scheduler=ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=3),
            reuse_actors=reuse_actors,
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0),
    ).fit()
    gather(folder)


if __name__ == "__main__":
    run(main)
