"""Many slots on one machine: does the driver keep them all busy?

    python -m benchmarks.width --slots 8 --slots 32

Each trial sleeps, so that slots need no processors, and reports each epoch. The benchmark looks at
the time from when all slots have begun until no trial is left to begin. It measures the share of
this time in which the slots sleep, and the CPU time that the driver's process uses per trial. From
this follows the number of slots at which one driver has no time left for such trials.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from cyclopts import Parameter, run

from benchmarks.harness import table
from benchmarks.nothing import study_of_nothing

EPOCHS = 10
EPOCH_SECONDS = 1.0
_LOG = "RANGEFINDER_WIDTH_LOG"
_POLL = 0.2  # seconds


class Slept(NamedTuple):
    """When a trial began and stopped sleeping, in seconds since 1970."""

    begun: float
    ended: float


class Width(NamedTuple):
    """What the slots and the driver did while there was work for all of them."""

    start: float  # seconds from the search's start until all slots had begun
    seconds: float
    busy: float  # the share of the slots' time in which they slept
    trials: float  # that ended in that time
    driver: float  # seconds of CPU


def train(config: dict[str, Any], data: object, **_: Any) -> Iterator[tuple[dict[str, Any], None]]:
    """A training that takes time but needs no processor."""
    begun = time.time()
    for epoch in range(1, EPOCHS + 1):
        time.sleep(EPOCH_SECONDS)
        if epoch == EPOCHS:  # before the last yield: nothing may run after it
            line = json.dumps([begun, time.time()]) + "\n"
            with (Path(os.environ[_LOG]) / str(os.getpid())).open("a") as file:
                file.write(line)
        yield {"val_loss": float(sum(config.values())) / epoch}, None


def searched(slots: int, algo: str, trials: int, folder: Path) -> tuple[float, list[Slept], Any]:
    """Search; returns when the search began, when its trials slept, and the driver's CPU by
    time."""
    from rich.console import Console

    from pipelines.cli.display import Display
    from pipelines.cluster.connect import LOCAL, connect
    from pipelines.study.ahead import IMPORTS
    from pipelines.study.run_study import run_study
    from search_spaces import Float, SearchSpace

    space = SearchSpace({f"x{n}": Float(0.0, 1.0) for n in range(8)})
    log = folder / "log"
    log.mkdir()
    os.environ[_LOG] = str(log)  # before Ray starts, whose processes inherit it
    used: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL):
            used.append((time.time(), time.process_time()))

    threading.Thread(target=watch, daemon=True).start()
    with connect(LOCAL, dashboard=False, modules=IMPORTS) as cluster:
        begun = time.time()
        study = study_of_nothing(train, space, algo, trials, EPOCHS, slots, str(folder))
        run_study(study, cluster, Display(Console(quiet=True), study.metric_name))
    ended.set()
    lines = [line for path in log.iterdir() for line in path.read_text().splitlines()]
    return begun, [Slept(*json.loads(line)) for line in lines], used


def width(slots: int, begun: float, slept: list[Slept], used: list[tuple[float, float]]) -> Width:
    """Figures for the time from when all slots have begun until no trial is left to begin."""
    order = sorted(trial.begun for trial in slept)
    first, last = order[slots - 1], order[-1]
    inside = sum(max(0.0, min(t.ended, last) - max(t.begun, first)) for t in slept)
    ended = sum(first <= t.ended <= last for t in slept)
    at, cpu = np.array(used).T
    driver = float(np.interp(last, at, cpu) - np.interp(first, at, cpu))
    seconds = last - first
    return Width(first - begun, seconds, inside / (slots * seconds), ended, driver)


def main(
    slots: Annotated[tuple[int, ...], Parameter(help="How many trials at once.")] = (8, 32),
    algos: Annotated[tuple[str, ...], Parameter(help="The search algorithms.")] = ("random",),
    rounds: Annotated[int, Parameter(help="Trials of each slot.")] = 6,
    inside: Annotated[bool, Parameter(show=False)] = False,
) -> None:
    """Print the share of the slots that is busy, and what the driver costs."""
    if inside:
        with tempfile.TemporaryDirectory() as folder:
            begun, slept, used = searched(slots[0], algos[0], slots[0] * rounds, Path(folder))
        print(json.dumps(width(slots[0], begun, slept, used)))
        return
    rows = []
    for n in slots:
        for algo in algos:
            command = [sys.executable, "-m", "benchmarks.width", "--inside", "--slots", str(n)]
            command += ["--algos", algo, "--rounds", str(rounds)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            lines = done.stdout.splitlines()  # Ray's warnings may be there too
            found = Width(*json.loads(next(line for line in lines if line.startswith("["))))
            per_trial = found.driver / found.trials
            full = EPOCHS * EPOCH_SECONDS / per_trial
            rows.append(
                [
                    *(str(n), algo, f"{found.start:.0f}", f"{found.busy:.3f}"),
                    f"{found.driver / found.seconds:.2f}",
                    *(f"{1000 * per_trial:.1f}", f"{full:.0f}"),
                ]
            )
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    head = ["slots", "algorithm", "start, s", "busy", "driver, cores"]
    print(table([*head, "driver, ms a trial", "slots of one driver"], rows))


if __name__ == "__main__":
    run(main)
