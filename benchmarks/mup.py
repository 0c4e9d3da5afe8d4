"""Does the best learning rate move with the width of an MLP, and does muP's rule help?

    pip install -e '.[panel]'
    python -m benchmarks.mup

muP (Yang et al. 2021, arXiv 2203.03466, table 3, for Adam) divides the learning rate of the weights
of a hidden or output layer by the width of the layer before it, as a multiple of a base width of
64. The output layer also begins with smaller weights. Here MLPs with two hidden layers of equal
width are trained by AdamW, without dropout and batch norm: each width at each learning rate, with
muP and without. The scores show where the best rate lies, what is lost if all widths have the one
rate that is best on average, and what a random search among these configs finds on average in a
number of trials. This last figure shows whether muP makes a search better.
"""

from __future__ import annotations

import math
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from cyclopts import Parameter

from benchmarks.harness import table
from benchmarks.results_file import keep, kept
from benchmarks.sets.configs import LENET
from benchmarks.sets.scores import score_network
from benchmarks.sets.tables import PANEL
from pipelines.cli.command import command
from pipelines.cli.command import main as run

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

BASE = 64  # the width at which the rule changes nothing
WIDTHS = (16, 64, 256, 512)
RATES = tuple(10 ** (k / 2) for k in range(-8, -1))  # 1e-4 to 0.1
RULES = ("one rate", "muP")
TABLES = ("ames", "cells", "churn", "credit", "attrition", "diabetes", "hotels")
_DRAWS = (4, 8, 16)


class Job(NamedTuple):
    table: str
    rule: str
    width: int
    rate: float
    seed: int


def do(job: Job, folder: Path, seconds: float) -> float:
    """The best validation score of one training; runs in a process of its own."""
    import torch

    from trainables.training import fit

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    make = _make_mup if job.rule == "muP" else _make_plain
    vars(fit).update(make_optimizer=make, set_rates=_set_rates)
    data, test = PANEL[job.table].load(folder)
    config = {**LENET, "width_1": job.width, "width_2": job.width, "lr": job.rate}
    return float(score_network(config, data, test, seconds=seconds, seed=job.seed)["val"])


def _make_plain(model: nn.Module, config: Any) -> Optimizer:
    return _adamw([{"params": list(model.parameters()), "scale": 1.0}], config)


def _make_mup(model: nn.Module, config: Any) -> Optimizer:
    import torch
    from torch import nn

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        linears[-1].weight.mul_(math.sqrt(BASE / linears[-1].in_features))
    scales = {layer.weight: BASE / layer.in_features for layer in linears[1:]}
    groups = [{"params": [p], "scale": scales.get(p, 1.0)} for p in model.parameters()]
    return _adamw(groups, config)


def _adamw(groups: Sequence[dict[str, Any]], config: Any) -> Optimizer:
    from torch.optim import AdamW

    return AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=True)


def _set_rates(optimizer: Optimizer, lr: float, momentum: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def rows(scores: Mapping[Job, float], tables: Sequence[str]) -> Iterator[list[str]]:
    """A row for each table: the best rate of each width, what one rate for all widths loses, and
    the best score of a search; each with one rate and with muP."""
    means: defaultdict[str, list[list[float]]] = defaultdict(list)
    for name in tables:
        found = {rule: _grid(scores, name, rule) for rule in RULES}
        cells = []
        for rule in RULES:
            grid = found[rule]
            best = " ".join(f"{math.log10(RATES[i]):.1f}" for i in grid.argmax(1))
            common = grid.mean(0).argmax()
            lost = float((grid.max(1) - grid[:, common]).mean())
            draws = [_best_of(grid, n) for n in _DRAWS]
            means[rule].append([lost, *draws])
            cells.append([best, f"{lost:.4f}", *(f"{d:.4f}" for d in draws)])
        yield [name, *(cell for pair in zip(*cells, strict=True) for cell in pair)]
    both = [[fmean(column) for column in zip(*means[rule], strict=True)] for rule in RULES]
    mean = [f"{value:.4f}" for pair in zip(*both, strict=True) for value in pair]
    yield ["mean", "", "", *mean]


def _grid(scores: Mapping[Job, float], name: str, rule: str) -> np.ndarray:
    """Mean scores over seeds: (widths, rates). At the base width muP changes nothing."""
    found: defaultdict[tuple[int, float], list[float]] = defaultdict(list)
    for job, score in scores.items():
        if job.table == name and job.rule == (rule if job.width != BASE else RULES[0]):
            found[job.width, job.rate].append(score)
    return np.array([[fmean(found[width, rate]) for rate in RATES] for width in WIDTHS])


def _best_of(grid: np.ndarray, n: int) -> float:
    """The expected best score of ``n`` configs that are drawn with replacement."""
    ordered = np.sort(grid.ravel())
    at_most = np.arange(1, ordered.size + 1) / ordered.size
    share = np.diff(at_most**n, prepend=0.0)
    return float((ordered * share).sum())


def _jobs(tables: Iterable[str], seeds: int) -> list[Job]:
    return [
        Job(name, rule, width, rate, seed)
        for name in tables
        for seed in range(seeds)
        for rule in RULES
        for width in WIDTHS
        for rate in RATES
        if rule == RULES[0] or width != BASE
    ]


def main(
    *,
    tables: Annotated[tuple[str, ...], Parameter(help="Names of tables of the panel.")] = TABLES,
    seeds: Annotated[int, Parameter(help="Trainings of each config.")] = 1,
    seconds: Annotated[float, Parameter(help="CPU seconds of each training.")] = 4.0,
    processes: Annotated[int, Parameter(help="Processes, with one thread each.")] = 2,
    results: Annotated[Path | None, Parameter(help="A file of scores to go on from.")] = None,
) -> None:
    """Print a row for each table: best rates, losses and searches, with muP and without."""
    for name in tables:
        if name not in PANEL:
            raise ValueError(f"'{name}' is none of {', '.join(PANEL)}")
    scores: dict[Job, float] = {Job(*job): score for *job, score in kept(results)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if results is None else results.parent
        for name in tables:
            PANEL[name].load(folder)
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            jobs = [job for job in _jobs(tables, seeds) if job not in scores]
            waiting = [pool.submit(do, job, folder, seconds) for job in jobs]
            for job, future in zip(jobs, waiting, strict=True):
                scores[job] = future.result()
                keep(results, [*job, scores[job]])
    each = [f"{what}, {rule}" for what in ("log10 of the best rate", "lost") for rule in RULES]
    each += [f"best of {n}, {rule}" for n in _DRAWS for rule in RULES]
    print(table(["table", *each], rows(scores, tables)))


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
