"""The portfolio of a space: eight configs that together do well on many data sets.

    python -m benchmarks.portfolio
    python -m benchmarks.portfolio --folder runs/cnn --model cnn --search-seconds 60 --seconds 40

1. Each table in use, or set of images, is searched twice for a fixed time without a portfolio: with
   TPE, and at random. The random search is what eight configs must beat. The candidates are the
   best trials of these searches and configs of the literature. Configs of an earlier portfolio are
   no candidates, because all sets had a part in their choice.
2. Each candidate is trained on each set.
3. Eight are chosen greedily: at each step the one that lowers the regret most (Wistuba et al. 2015,
   "Sequential model-free hyperparameter tuning"; Feurer et al. 2022, auto-sklearn 2.0, section
   3.1). The figures of a set come from a choice without that set: neither its scores nor the
   winners of its own searches are used.

With ``--folder`` all results are kept in that folder, and the same command goes on from there.
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
RANDOM = 40  # trials of the random search that the portfolio is compared with
EPOCHS = 30  # the default of a search
CHOSEN_ON = {"mlp": tuple(IN_USE), "cnn": tuple(IMAGES)}


@dataclass(frozen=True)
class Candidate:
    """A config, and the set whose search found it; "" if it is from the literature."""

    config: Config
    origin: str = ""


def search(name: str, algo: str, folder: Path, seconds: float) -> Path:
    """The folder of a search's run; searches if the run is not there yet."""
    place = folder / "runs" / f"{name}-{algo}"
    if (place / "report.html").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)  # a search that was cut short has had less time
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
    """The configs of the literature and the best trial of each search, without duplicates."""
    found = [Candidate(config) for config in LITERATURE[model]]
    for name, places in runs.items():
        best = [open_run(place).best for place in places]
        found += [Candidate(dict(trial.config), name) for trial in best if trial is not None]
    return [c for i, c in enumerate(found) if c.config not in [d.config for d in found[:i]]]


def score(model: str, name: str, config: Config, folder: Path, seconds: float) -> dict[str, Any]:
    """Train and score a candidate; runs in a process of its own."""
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
    """The rows of ``regret`` (candidate, set) that together leave the least regret on average,
    chosen greedily. Of several that leave as little, the one that is best alone is taken."""
    chosen: list[int] = []
    reached = np.full(regret.shape[1], np.inf)
    for _ in range(min(size, len(allowed))):
        left = [i for i in allowed if i not in chosen]
        best = min(left, key=lambda i: (np.minimum(reached, regret[i]).mean(), regret[i].mean()))
        chosen.append(best)
        reached = np.minimum(reached, regret[best])
    return chosen


def regrets(scores: np.ndarray) -> np.ndarray:
    """How far each candidate is behind the best of a set, as a share of how far the median is
    behind it. A share is at most 1, because it does not matter how bad a bad candidate is."""
    best, middle = scores.max(axis=0), np.median(scores, axis=0)
    shares: np.ndarray = np.clip((best - scores) / np.maximum(best - middle, 1e-9), 0.0, 1.0)
    return shares


def rows(
    pool: Sequence[Candidate], val: np.ndarray, test: np.ndarray, runs: Mapping[str, Path]
) -> Iterator[list[str]]:
    """A row for each set: the score of eight configs that were chosen without it, and the score of
    a random search."""
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
    folder: Annotated[Path | None, Parameter(help="A folder to keep results in.")] = None,
    model: Annotated[Literal["mlp", "cnn"], Parameter(help="The configs' network.")] = "mlp",
    tables: Annotated[tuple[str, ...], Parameter(help="Or images; by default all in use.")] = (),
    search_seconds: Annotated[float, Parameter(help="Seconds of a search, on all cores.")] = 45.0,
    seconds: Annotated[float, Parameter(help="CPU seconds of a candidate's training.")] = 8.0,
    processes: Annotated[int, Parameter(help="Processes, with one thread each.")] = 2,
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
