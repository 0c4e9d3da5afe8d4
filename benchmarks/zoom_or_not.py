"""Zoom against no zoom at the same total budget.

    python -m benchmarks.zoom_or_not

Half of the budget goes to random search. The space is then zoomed around the best of these trials,
and a Gaussian process searches the smaller space with the other half. This is compared with a
Gaussian process that searches the whole space with the whole budget, and with one that is told the
random trials but searches the whole space. The searches train MLPs on an embedded data set, without
early stopping and without Ray.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import cyclopts
import torch
from cyclopts import Parameter

from benchmarks.harness import spread
from pipelines.record.trials import FinishedTrial, State, best_trial
from pipelines.study.zoom import zoom
from pipelines.tuner.sampling.algorithms import make_sampler
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import SPACES, Config, SearchSpace
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.training.metrics import METRICS

METRIC = METRICS["val_accuracy"]


def train(trial_id: str, config: Config, data: TrialData, max_epochs: int) -> FinishedTrial:
    epochs = NETWORKS["mlp"](
        config, data, max_epochs=max_epochs, seed=0, device=torch.device("cpu")
    )
    metrics = [metrics for metrics, _ in epochs]
    if metrics[-1]["diverged"]:
        return FinishedTrial(
            trial_id, config, State.PRUNED, value=METRIC.worst, stopped_by="divergence"
        )
    curve = {int(m["epoch"]): float(m["val_accuracy"]) for m in metrics}
    return FinishedTrial(trial_id, config, State.COMPLETE, curve, max(curve.values()))


def search(
    algo: str,
    space: SearchSpace,
    trials: int,
    data: TrialData,
    max_epochs: int,
    seed: int,
    history: tuple[FinishedTrial, ...] = (),
) -> tuple[FinishedTrial, ...]:
    problem = Problem(space, METRIC.mode, seed, trials, history=history)
    sampler = make_sampler(algo, problem, METRIC.worst)
    finished = []
    for n in range(trials):
        config = sampler.ask(str(n))
        assert config is not None
        finished.append(train(str(n), config, data, max_epochs))
        sampler.tell(finished[-1])
    return tuple(finished)


def best(trials: tuple[FinishedTrial, ...]) -> float:
    found = best_trial(trials, METRIC)
    return METRIC.worst if found is None or found.value is None else found.value


def main(
    data: Annotated[str, Parameter(help="An embedded data set.")] = "digits",
    trials: Annotated[int, Parameter(help="The whole budget.")] = 40,
    seeds: Annotated[int, Parameter(help="Searches of each kind.")] = 3,
    max_epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 10,
) -> None:
    """Print the best validation accuracy of each kind, seed by seed and on average."""
    torch.set_num_threads(1)
    space = replace(SPACES["mlp"], try_first=())  # random trials are random, not a portfolio
    loaded, half = load(data), trials // 2
    rows: dict[str, list[float]] = {"random, zoom, gp": [], "random, gp": [], "gp": []}
    for seed in range(seeds):
        first = search("random", space, half, loaded, max_epochs, seed)
        narrow, _ = zoom(space, first, METRIC)
        zoomed = search("gp", narrow, trials - half, loaded, max_epochs, seed)
        told = search("gp", space, trials - half, loaded, max_epochs, seed, first)
        plain = search("gp", space, trials, loaded, max_epochs, seed)
        rows["random, zoom, gp"].append(max(best(first), best(zoomed)))
        rows["random, gp"].append(max(best(first), best(told)))
        rows["gp"].append(best(plain))
        print(f"seed {seed}: " + ", ".join(f"{k} {v[-1]:.4f}" for k, v in rows.items()), flush=True)
    for kind, values in rows.items():
        print(f"{kind:<18} {spread(values, of_mean=True)}")


if __name__ == "__main__":
    cyclopts.run(main)
