"""A search for a fixed time on each table of the panel, and models of scikit-learn.

    python -m benchmarks.searched_panel --seconds 45

All sides get the same table with the same split; each seed has its own split. "search" is the
command with its defaults, and ``evaluate.py`` trains the winner again on train and validation.
"ensemble" is the same search with the ensemble that is selected among its eight best configs,
trained with two seeds each. The other models are fitted on train and validation too. "tuned
boosting" tries 20 random configs (the defaults come first), or fewer if the time of a search is
over, with as many threads, and takes the best on validation. The score is the AUC of the test rows
(with several classes, the mean over the classes) or R2. For images (``--tables digits``, mnist,
fashion) the search is for a CNN, and the score is the accuracy.

With ``--results FILE`` all scores are kept in that file, and the same command goes on from there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from benchmarks.harness import HERE, table
from benchmarks.panel import read, rows
from benchmarks.results_file import keep
from benchmarks.sets import SETS
from benchmarks.sets.scores import PEERS as UNTUNED
from benchmarks.sets.scores import Score, flat, measure_of, peer_model, peer_score
from benchmarks.sets.tables import IN_USE, SET_ASIDE
from pipelines.cli.command import command
from pipelines.cli.command import main as run
from pipelines.record.looks import read_looks
from trainables.data.datasets import TestData, TrialData

SEARCHES: Mapping[str, Sequence[str]] = {
    "search": (),
    "no embeddings": ("--fix", "num_embedding=none", "--fix", "cat_embedding=False"),
    "no portfolio": ("--no-portfolio",),
}
ENSEMBLE = "ensemble"
_BOOSTING = "gradient boosting"
PEERS = (*UNTUNED, "tuned boosting")
MOST_CONFIGS = 20
_MOST_TRIALS = 1000
_SEEDS = 2  # trainings of a winner: as many as there are cores


def searched(
    name: str, side: str, *, split: int, seconds: float, folder: Path, runs: Path
) -> float:
    """The test score of a search's winner, or of the ensemble of its best configs, by the commands
    that a user types."""
    ensemble = side == ENSEMBLE
    side = "search" if ensemble else side
    panel = SETS[name]
    measure = panel.measure or measure_of(panel.load(folder, split)[0])
    options = [*panel.options, "--metric", f"val_{measure}", "--time-budget", f"{seconds:g}s"]
    called = f"{name}-{side.replace(' ', '-')}-{split}"
    place = ["--name", called, "--runs-dir", str(runs)]
    other = ["--seed", str(split), "--trials", str(_MOST_TRIALS), "--no-baseline"]
    ray = ["--address", "local", "--no-dashboard"]
    script = HERE.parent / "pipelines"
    run_folder = runs / called
    if not (run_folder / "report.html").exists():
        shutil.rmtree(run_folder, ignore_errors=True)  # a search cut short has had less time
        words = [*options, *place, *other, *ray, *SEARCHES[side]]
        _typed([str(script / "run.py"), "--data", panel.at(folder), *words])
    tested = ["--seeds", str(_SEEDS), "--again", "--address", "local"]
    tested += ["--ensemble", "8"] if ensemble else []
    _typed([str(script / "evaluate.py"), str(run_folder), *tested])
    look = read_looks(run_folder / "evaluation.json")[-1]
    metric = f"test_{measure}"
    return look.together[metric] if ensemble else fmean(look.values[metric])


def _typed(words: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {(done.stdout + done.stderr)[-2000:]}")


def fitted(
    name: str, data: TrialData, test: TestData, measure: str, *, seed: int, seconds: float
) -> float:
    """The test score of a model of scikit-learn."""
    if name == "tuned boosting":
        model = _tuned(data, measure, seed, seconds)
    else:
        untrained = peer_model(name, data.task, seed)
        if name == "random forest":
            untrained.set_params(n_jobs=-1)
        model = _all_rows(untrained, data)
    return peer_score(model, data, flat(test.x), test.y, measure)


def _tuned(data: TrialData, measure: str, seed: int, seconds: float) -> Any:
    started, best, chosen = time.monotonic(), -np.inf, None
    for options in _boosting_options(seed):
        model = (
            peer_model(_BOOSTING, data.task, seed)
            .set_params(**options)
            .fit(flat(data.x_train), data.y_train)
        )
        found = peer_score(model, data, flat(data.x_val), data.y_val, measure)
        if found > best:
            best, chosen = found, options
        if time.monotonic() - started > seconds:
            break
    return _all_rows(peer_model(_BOOSTING, data.task, seed).set_params(**chosen or {}), data)


def _boosting_options(seed: int) -> Iterator[dict[str, Any]]:
    yield {}
    rng = np.random.default_rng(seed)
    for _ in range(MOST_CONFIGS - 1):
        yield {
            "learning_rate": float(np.exp(rng.uniform(np.log(0.01), np.log(0.3)))),
            "max_iter": int(np.exp(rng.uniform(np.log(50), np.log(1000)))),
            "max_leaf_nodes": int(np.exp(rng.uniform(np.log(8), np.log(128)))),
            "min_samples_leaf": int(np.exp(rng.uniform(np.log(5), np.log(100)))),
            "l2_regularization": float(np.exp(rng.uniform(np.log(1e-4), np.log(10)))),
            "max_features": float(rng.uniform(0.3, 1.0)),
        }


def _all_rows(model: Any, data: TrialData) -> Any:
    x = flat(np.concatenate([data.x_train, data.x_val]))
    return model.fit(x, np.concatenate([data.y_train, data.y_val]))


def ahead(scores: Sequence[Score], sides: Sequence[str]) -> Iterator[str]:
    """For each side, on how many tables it is within the noise of the best, and how far it is
    behind at most.

    Within the noise is a side that is no further behind than twice the standard error of the
    difference over the splits, or than 0.002.
    """
    found: defaultdict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for score in scores:
        found[score.table][score.side][score.seed] = score.test
    for side in sides:
        near, worst, n, where = 0, 0.0, 0, ""
        for name, by_side in found.items():
            if side not in by_side:
                continue
            n += 1
            means = {other: fmean(values.values()) for other, values in by_side.items()}
            best = max((s for s in sides if s in means), key=means.__getitem__)
            behind = means[best] - means[side]
            pairs = by_side[best].keys() & by_side[side].keys()
            differences = [by_side[best][k] - by_side[side][k] for k in pairs]
            error = np.std(differences, ddof=1) / len(differences) ** 0.5 if len(pairs) > 1 else 0.0
            near += behind <= max(2 * error, 0.002)
            if behind > worst:
                worst, where = behind, name
        told = f"{side}: within the noise of the best on {near} of {n}, at most {worst:.4f} behind"
        yield told + (f" ({where})" if where else "")


def main(
    *,
    tables: Annotated[tuple[str, ...], Parameter(help="Names; by default all tables in use.")] = (),
    sides: Annotated[tuple[str, ...], Parameter(help="Searches and models; by default all.")] = (),
    set_aside: Annotated[bool, Parameter(help="The tables that were set aside.")] = False,
    seeds: Annotated[int, Parameter(help="Splits, each with a search.")] = 3,
    seconds: Annotated[float, Parameter(help="Seconds of a search, and of a tuning.")] = 45.0,
    results: Annotated[Path | None, Parameter(help="A file of scores to go on from.")] = None,
    stop_after: Annotated[float, Parameter(help="Seconds after which nothing begins.")] = 1e9,
) -> None:
    """Print AUC or R2 of the test rows, table by table and side by side."""
    chosen = tables or tuple(SET_ASIDE if set_aside else IN_USE)
    sides = sides or ("search", ENSEMBLE, *PEERS)
    known = (*SEARCHES, ENSEMBLE, *PEERS)
    for name, among in (*((t, tuple(SETS)) for t in chosen), *((s, known) for s in sides)):
        if name not in among:
            raise ValueError(f"'{name}' is none of {', '.join(among)}")
    scores = read(results)
    done = {(score.table, score.side, score.seed) for score in scores}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if results is None else results.parent
        for split in range(1, seeds + 1):
            for name in chosen:
                for side in sides:
                    if (name, side, split) in done or time.monotonic() - begun > stop_after:
                        continue
                    score = _scored(name, side, split, seconds, folder)
                    scores.append(score)
                    keep(results, score.as_dict())
                    told = f"{name:<12} {side:<20} {split} {score.test:.4f} {score.seconds:.0f} s"
                    print(told, file=sys.stderr, flush=True)
    print(table(["table", *sides], rows(scores, chosen, sides)))
    print("\n".join(ahead([s for s in scores if s.table in chosen], sides)))


def _scored(name: str, side: str, split: int, seconds: float, folder: Path) -> Score:
    started = time.monotonic()
    if side in SEARCHES or side == ENSEMBLE:
        runs = folder / "runs"
        test = searched(name, side, split=split, seconds=seconds, folder=folder, runs=runs)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data, tested = SETS[name].load(folder, split)
            measure = SETS[name].measure or measure_of(data)
            test = fitted(side, data, tested, measure, seed=split, seconds=seconds)
    return Score(name, side, split, test, 0.0, time.monotonic() - started)


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
