"""What a prior brings, if its config is good and if it is not.

    python -m benchmarks.prior

Each algorithm searches MLPs without a prior, with the config that Smith's tests find as a prior,
and with a wrong prior. The result is the best accuracy so far after some trials, as the mean over
seeds. With a prior, its config is tried first. There is no portfolio, no early stopping and no Ray.
Smith's tests do not count as trials; the time that they take is printed too.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from statistics import fmean
from typing import Annotated, NamedTuple

import torch
from cyclopts import Parameter

from benchmarks.harness import spread, table
from benchmarks.zoom_or_not import METRIC, train
from pipelines.cli.command import command
from pipelines.cli.command import main as run
from pipelines.recipe.steps import run_recipe
from pipelines.study.narrowing import for_data
from pipelines.tuner.sampling.algorithms import make_sampler
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import SPACES, Config
from trainables.data.datasets import load
from trainables.networks import NETWORKS

# A bad config in every way: 8 units, a dropout rate of a half, and a learning rate far too small.
WRONG: Config = {
    "n_layers": 1,
    "width_1": 8,
    "num_embedding": "none",
    "cat_embedding": False,
    "activation": "tanh",
    "dropout": 0.5,
    "batch_norm": False,
    "optimizer": "sgd",
    "lr": 1e-4,
    "policy": "constant",
    "momentum": 0.8,
    "weight_decay": 1e-2,
    "batch_size": 256,
}
AFTER = (5, 10, 20, 40)  # trials
SMITHS = "Smith's tests"


class Cell(NamedTuple):
    data: str
    algo: str
    belief: str
    seed: int


class Found(NamedTuple):
    best: list[float]  # accuracy after each of AFTER
    tests: float  # the time of Smith's tests, in trainings of the search


def best_so_far(cell: Cell, epochs: int) -> Found:
    """One search; runs in a process of its own."""
    torch.set_num_threads(1)
    data, network = load(cell.data), NETWORKS["mlp"]
    space = for_data(SPACES["mlp"], network, data)
    beliefs: dict[str, tuple[Config, ...]] = {"no prior": (), "a wrong one": (WRONG,)}
    started = time.process_time()
    if cell.belief not in beliefs:
        cpu = torch.device("cpu")
        found = run_recipe(network, space.try_first[0], space, data, seed=cell.seed, device=cpu)
        beliefs[cell.belief] = (found.config,)
    tests = time.process_time() - started
    believed = beliefs[cell.belief]
    problem = Problem(
        replace(space, try_first=()),
        METRIC.mode,
        cell.seed,
        AFTER[-1],
        start_with=believed,
        prior=bool(believed),
    )
    sampler = make_sampler(cell.algo, problem, METRIC.worst)
    values: list[float] = []
    training = 0.0
    for n in range(AFTER[-1]):
        config = sampler.ask(str(n))
        assert config is not None
        started = time.process_time()
        trial = train(str(n), config, data, epochs)
        training += time.process_time() - started
        sampler.tell(trial)
        values.append(METRIC.worst if trial.value is None else trial.value)
    return Found([max(values[:n]) for n in AFTER], tests / training * AFTER[-1])


def main(
    *,
    data: Annotated[tuple[str, ...], Parameter(help="Embedded classifications.")] = ("digits",),
    algos: Annotated[tuple[str, ...], Parameter(help="Search algorithms.")] = ("random", "optuna"),
    seeds: Annotated[int, Parameter(help="Searches of each kind.")] = 5,
    epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 10,
    processes: Annotated[int, Parameter(help="Processes, with one thread each.")] = 2,
) -> None:
    """Print the best so far, mean and standard error over seeds."""
    beliefs = ("no prior", SMITHS, "a wrong one")
    cells = [Cell(*key, seed) for key in _keys(data, algos, beliefs) for seed in range(seeds)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as executor:
        results = list(executor.map(best_so_far, cells, [epochs] * len(cells)))
    found = dict(zip(cells, results, strict=True))
    rows = []
    for key in _keys(data, algos, beliefs):
        best = [found[Cell(*key, seed)].best for seed in range(seeds)]
        shown = (spread(after, of_mean=True) for after in zip(*best, strict=True))
        rows.append([*key, *shown])
    print(table(["data", "algorithm", "prior", *(f"after {n}" for n in AFTER)], rows))
    tests = fmean(found[cell].tests for cell in cells if cell.belief == SMITHS)
    print(f"{SMITHS} take as long as {tests:.0f} trainings of the search")


def _keys(
    data: tuple[str, ...], algos: tuple[str, ...], beliefs: tuple[str, ...]
) -> list[tuple[str, str, str]]:
    return [(name, algo, belief) for name in data for algo in algos for belief in beliefs]


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
