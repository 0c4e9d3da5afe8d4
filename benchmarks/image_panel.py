"""A CNN with and without each of its ingredients, on images.

    pip install -e '.[panel]'
    python -m benchmarks.image_panel

Fixed configs are trained for a fixed CPU time on one thread, without a search. Each network is
tested as it was after the epoch with the best validation accuracy. The images are in
``benchmarks/sets/images.py``.

With ``--results FILE`` all scores are kept in that file, and the same command goes on from there.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmarks.harness import table
from benchmarks.panel import Job, read, rows
from benchmarks.results_file import keep
from benchmarks.sets.configs import CNN_CONFIGS
from benchmarks.sets.images import IMAGES
from benchmarks.sets.scores import Score, score_network
from pipelines.cli.command import command
from pipelines.cli.command import main as run

SIDES = CNN_CONFIGS


def do(job: Job, source: str, seconds: float) -> Score:
    """Train and score one network; runs in a process of its own."""
    import torch

    from trainables.data.datasets import load, load_test

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    data, test = load(source, seed=0), load_test(source, seed=0)
    found = score_network(
        SIDES[job.side],
        data,
        test,
        seconds=seconds,
        seed=job.seed,
        network="cnn",
        measure="accuracy",
    )
    return Score(*job, **found)


def main(
    *,
    images: Annotated[tuple[str, ...], Parameter(help=f"{', '.join(IMAGES)}.")] = tuple(IMAGES),
    sides: Annotated[tuple[str, ...], Parameter(help="Names of configs; all by default.")] = (),
    seeds: Annotated[int, Parameter(help="Trainings of each config.")] = 3,
    seconds: Annotated[float, Parameter(help="CPU seconds of each training.")] = 20.0,
    processes: Annotated[int, Parameter(help="Processes, with one thread each.")] = 2,
    results: Annotated[Path | None, Parameter(help="A file of scores to go on from.")] = None,
) -> None:
    """Print the accuracy on the test images, set by set and side by side."""
    sides = sides or tuple(SIDES)
    _check(images, sides)
    scores = read(results)
    done = {Job(score.table, score.side, score.seed) for score in scores}
    jobs = [Job(i, side, seed) for seed in range(seeds) for side in sides for i in images]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if results is None else results.parent
        sources = {name: IMAGES[name].at(folder) for name in images}
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            waiting = [
                pool.submit(do, job, sources[job.table], seconds) for job in jobs if job not in done
            ]
            for future in waiting:
                score = future.result()
                scores.append(score)
                keep(results, score.as_dict())
                told = f"{score.table:<8} {score.side:<28} {score.test:.4f} {score.epochs} epochs"
                print(told, file=sys.stderr, flush=True)
    print(table(["images", *sides], rows(scores, images, sides)))


def _check(images: Sequence[str], sides: Sequence[str]) -> None:
    for name, known in (*((i, tuple(IMAGES)) for i in images), *((s, tuple(SIDES)) for s in sides)):
        if name not in known:
            raise ValueError(f"'{name}' is none of {', '.join(known)}")


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
