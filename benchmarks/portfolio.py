"""The portfolio of a space: eight configs that together do well on many data sets.

    python -m benchmarks.portfolio
    python -m benchmarks.portfolio --folder runs/cnn --model cnn --search-seconds 60 --seconds 40

1. Each table that is in use, or set of images, is searched twice for a fixed time, without a
   portfolio: with TPE, and at random, which is what eight configs must beat. The best trials are
   candidates, beside configs of the literature. No config that an earlier choice made is, for it
   would know all sets.
2. Each candidate is trained on each set.
3. Eight are chosen greedily: at each step the one that lowers the regret most (Wistuba et al. 2015,
   "Sequential model-free hyperparameter tuning"; Feurer et al. 2022, auto-sklearn 2.0, section
   3.1). For the figures of a set that set is left out: neither its scores nor the winners of
   its own searches are looked at.

What is done lies in ``--folder``, where one is given: the same command goes on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from cyclopts import Parameter

from benchmarks.harness import table as table_of
from benchmarks.results_file import keep, kept
from benchmarks.sets import SETS
from benchmarks.sets.configs import LITERATURE
from benchmarks.sets.images import IMAGES
from benchmarks.sets.scores import measure_of, score_network
from benchmarks.sets.tables import IN_USE, SPLIT_SEED
from pipelines.cli.command import command
from pipelines.cli.command import main as run
from pipelines.study.runs import open_run
from search_spaces import Config
from trainables.data.datasets import TestData, TrialData

ROOT = Path(__file__).parents[1]
SIZE = 8
RANDOM = 40  # trials that the portfolio is measured against
EPOCHS = 30  # as many as a search has where nothing is said
CHOSEN_ON = {"mlp": tuple(IN_USE), "cnn": tuple(IMAGES)}


@dataclass(frozen=True)
class Candidate:
    """A config, and the set whose search found it; "" where it is from the literature."""

    config: Config
    origin: str = ""


def search(name: str, algo: str, folder: Path, seconds: float) -> Path:
    """The run of a search, which is made where it is not there yet."""
    place = folder / "runs" / f"{name}-{algo}"
    if (place / "report.html").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)  # what was cut short has had less time
    panel = SETS[name]
    options = ["--data", panel.at(folder), *panel.options]
    trials = RANDOM if algo == "random" else 10_000
    options += ["--algo", algo, "--metric", f"val_{_measure(name, folder)}"]
    options += ["--seed", str(SPLIT_SEED)]
    options += ["--trials", str(trials), "--max-epochs", str(EPOCHS), "--no-baseline"]
    options += ["--time-budget", f"{seconds}s", "--no-dashboard", "--no-portfolio"]
    options += ["--runs-dir", str(place.parent), "--name", place.name]
    run_py = [sys.executable, str(ROOT / "pipelines" / "run.py")]
    subprocess.run([*run_py, *options], check=True, stdout=subprocess.DEVNULL)
    return place


def candidates(model: str, runs: Mapping[str, Sequence[Path]]) -> list[Candidate]:
    """Those of the literature, and the best trial of each set's searches."""
    found = [Candidate(config) for config in LITERATURE[model]]
    for name, places in runs.items():
        best = [open_run(place).best for place in places]
        found += [Candidate(dict(trial.config), name) for trial in best if trial is not None]
    return [c for i, c in enumerate(found) if c.config not in [d.config for d in found[:i]]]


def score(model: str, name: str, config: Config, folder: Path, seconds: float) -> dict[str, Any]:
    """In a process of its own: a network without what the set has nothing to choose for."""
    import torch

    torch.set_num_threads(1)
    data, test = _loaded(name, folder)
    return score_network(
        config,
        data,
        test,
        seconds=seconds,
        seed=0,
        most_epochs=EPOCHS,
        network=model,
        measure=_measure(name, folder),
    )


@cache
def _loaded(name: str, folder: Path) -> tuple[TrialData, TestData]:
    return SETS[name].load(folder, SPLIT_SEED)


def _measure(name: str, folder: Path) -> str:
    return SETS[name].measure or measure_of(_loaded(name, folder)[0])


def choose(regret: np.ndarray, allowed: Sequence[int], size: int = SIZE) -> list[int]:
    """Of ``regret``, (candidate, set), the rows that together leave the least on average; where
    several leave as little, the one that is best alone."""
    chosen: list[int] = []
    reached = np.full(regret.shape[1], np.inf)
    for _ in range(min(size, len(allowed))):
        left = [i for i in allowed if i not in chosen]
        best = min(left, key=lambda i: (np.minimum(reached, regret[i]).mean(), regret[i].mean()))
        chosen.append(best)
        reached = np.minimum(reached, regret[best])
    return chosen


def regrets(scores: np.ndarray) -> np.ndarray:
    """How far behind the best of a set each is, as a share of how far the median is; at most
    1: how bad a bad one is does not matter."""
    best, middle = scores.max(axis=0), np.median(scores, axis=0)
    shares: np.ndarray = np.clip((best - scores) / np.maximum(best - middle, 1e-9), 0.0, 1.0)
    return shares


def rows(
    pool: Sequence[Candidate], val: np.ndarray, test: np.ndarray, runs: Mapping[str, Path]
) -> Iterator[list[str]]:
    """Of each set: what eight configs reach that were chosen without it, and what the trials of
    a random search reach."""
    names = list(runs)
    regret = regrets(val)
    for j, name in enumerate(names):
        others = [k for k in range(len(names)) if k != j]
        allowed = [i for i, candidate in enumerate(pool) if candidate.origin != name]
        chosen = choose(regret[:, others], allowed)
        first = chosen[int(np.argmax(val[chosen, j]))]
        searched = open_run(runs[name])
        best = -np.inf if searched.best is None else searched.best.value or 0.0
        won = "yes" if val[first, j] > best else "no"
        row = [name, f"{val[first, j]:.4f}", f"{best:.4f}", str(len(searched.finished)), won]
        yield [*row, f"{test[first, j]:.4f}"]


def main(
    *,
    folder: Annotated[Path | None, Parameter(help="Where what is done is kept.")] = None,
    model: Annotated[Literal["mlp", "cnn"], Parameter(help="Whose configs.")] = "mlp",
    tables: Annotated[tuple[str, ...], Parameter(help="Or images; all in use.")] = (),
    search_seconds: Annotated[float, Parameter(help="Of each search, on all cores.")] = 45.0,
    seconds: Annotated[float, Parameter(help="Of CPU, for each training of a candidate.")] = 8.0,
    processes: Annotated[int, Parameter(help="At once, with one thread each.")] = 2,
) -> None:
    """Choose eight configs, and print what such a choice is worth on data it was not made on."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        chosen = tables or CHOSEN_ON[model]
        print(chosen_in(folder, model, chosen, search_seconds, seconds, processes))


def chosen_in(
    folder: Path,
    model: str,
    tables: Sequence[str],
    search_seconds: float,
    seconds: float,
    processes: int,
) -> str:
    """The table of what a choice is worth, and the configs that are chosen from all sets."""
    runs: dict[str, dict[str, Path]] = {}
    for name in tables:
        runs[name] = {}
        for algo in ("optuna", "random"):
            runs[name][algo] = search(name, algo, folder, search_seconds)
            print(f"searched {name} with {algo}", file=sys.stderr, flush=True)
    chosen_from = folder / "candidates.json"
    if not chosen_from.exists():
        found = candidates(model, {name: list(places.values()) for name, places in runs.items()})
        chosen_from.write_text(json.dumps([vars(c) for c in found]))
    pool = [Candidate(**entry) for entry in json.loads(chosen_from.read_text())]
    results = folder / "scores.jsonl"
    done = {(d["table"], d["candidate"]): d for d in kept(results)}
    jobs = [(name, i) for i in range(len(pool)) for name in tables if (name, i) not in done]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as executor:
        futures = {
            executor.submit(score, model, name, pool[i].config, folder, seconds): (name, i)
            for name, i in jobs
        }
        for future in as_completed(futures):
            name, i = futures[future]
            entry = {"table": name, "candidate": i, **future.result()}
            done[name, i] = entry
            keep(results, entry)
    val, test = (
        np.array([[done[name, i][which] for name in tables] for i in range(len(pool))])
        for which in ("val", "test")
    )
    worth = table_of(
        ["table", "8 chosen without it", "random", "its trials", "beaten", "test of the 8"],
        rows(pool, val, test, {name: places["random"] for name, places in runs.items()}),
    )
    chosen = choose(regrets(val), range(len(pool)))
    return f"{worth}\n{yaml.safe_dump([pool[i].config for i in chosen], sort_keys=False)}"


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
