"""A search with Ray Tune alone, as its documentation says: a function that reports each epoch,
Tune's OptunaSearch and its ASHA. It uses this project's space, networks and data.

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
from benchmarks.peers.training import USUAL, Work, gather, train
from search_spaces import SearchSpace


def defined_by_run(trial: optuna.Trial, space: SearchSpace) -> None:
    suggest(trial, space)


def main(folder: Path, work: Work = USUAL, *, reuse_actors: bool = False) -> None:
    """Search, and write what was trained to FOLDER/work.json."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(config: dict[str, Any], data: Any) -> None:
        for metrics in train(folder, config, data, work):
            tune.report(metrics)

    ray.init("local", num_cpus=work.slots, include_dashboard=False, log_to_driver=False)
    loaded = work.load()
    space = partial(defined_by_run, space=work.space(loaded))
    searcher = OptunaSearch(space, "val_accuracy", "max", sampler=sampler(work.algo, work.seed))
    tune.Tuner(
        tune.with_parameters(objective, data=loaded),
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=work.trials,
            search_alg=ConcurrencyLimiter(searcher, work.slots),
            scheduler=ASHAScheduler(max_t=work.epochs, grace_period=1, reduction_factor=3),
            reuse_actors=reuse_actors,
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0),
    ).fit()
    gather(folder)


if __name__ == "__main__":
    run(main)
