"""What the benchmarks share: sides that take turns, what a command costs and trains, and tables."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces import Config

HERE = Path(__file__).parent
_TICK = os.sysconf("SC_CLK_TCK")
_POLL = 0.1  # seconds


@dataclass(frozen=True)
class Trained:
    """What a trial trained: its config, its epochs, and what else is needed to train them again."""

    config: Config
    epochs: int
    max_epochs: int
    seed: int


@dataclass(frozen=True)
class Cost:
    """The cost of a command: seconds from start to end, and seconds of CPU by kind of process."""

    wall: float
    cpu: Mapping[str, float]


def measured(command: Sequence[str], log: Path, **environment: str) -> Cost:
    """Run a command to its end. Raises ``RuntimeError`` with its output if it fails."""
    seconds: dict[int, tuple[str, float]] = {}
    started = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        while process.poll() is None:
            seconds.update(_cpu_of_tree(process.pid))
            time.sleep(_POLL)
    wall = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {log.read_text()[-2000:]}")
    cpu: defaultdict[str, float] = defaultdict(float)
    for kind, used in seconds.values():
        cpu[kind] += used
    return Cost(wall, dict(cpu))


def _cpu_of_tree(root: int) -> dict[int, tuple[str, float]]:
    """For each process: its kind, and the seconds of CPU that it has used so far."""
    parents, used = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                kind = _kind((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:  # the process has ended
                continue
            pid = int(folder.name)
            parents[pid] = int(fields[1])
            used[pid] = kind, (int(fields[11]) + int(fields[12])) / _TICK
    found = {root: ("driver", used[root][1])} if root in used else {}
    added = True
    while added:
        children = {p: used[p] for p, parent in parents.items() if parent in found}
        added = bool(children.keys() - found.keys())
        found |= {p: u for p, u in children.items() if p != root}
    return found


def _kind(command: str) -> str:
    """Ray's workers are named after what they run; its other processes come from its package."""
    return "Ray" if "/ray/" in command and not command.startswith("ray::") else "workers"


def bare_seconds(
    trials: Sequence[Trained], model: str, data: str, split: int, at_once: int
) -> float:
    """Train ``trials`` again for the same epochs, with nothing around them; returns the sum of
    their seconds.

    ``at_once`` of them train at a time, with one thread each. ``split`` is the seed of the data's
    split.
    """
    with ProcessPoolExecutor(at_once, initializer=_load, initargs=(model, data, split)) as pool:
        list(pool.map(_train, trials[: 2 * at_once]))  # warm
        return sum(pool.map(_train, trials))


_loaded: dict[str, Any] = {}


def _load(model: str, data: str, split: int) -> None:
    import torch

    from trainables.data.datasets import load
    from trainables.networks import NETWORKS

    torch.set_num_threads(1)
    _loaded.update(network=NETWORKS[model], data=load(data, seed=split))


def _train(trial: Trained) -> float:
    import torch

    started = time.perf_counter()
    training = _loaded["network"](
        trial.config,
        _loaded["data"],
        max_epochs=trial.max_epochs,
        seed=trial.seed,
        device=torch.device("cpu"),
    )
    for _ in range(trial.epochs):
        next(training, None)  # a training that diverges ends earlier
    return time.perf_counter() - started


@dataclass(frozen=True)
class Searched:
    """A search from a cold command, and what it did with the time."""

    cost: Cost
    trained: Sequence[Trained]
    first_start: float  # of a trial, in seconds since the command's start
    last_end: float
    first_epoch: float  # the end of the first epoch, in the same seconds

    def useful(self, bare: float, slots: int) -> float:
        """The share of all slots' time, from start to end, that the training alone would take."""
        return bare / (slots * self.cost.wall)

    def useful_once_started(self, bare: float, slots: int) -> float:
        return bare / (slots * (self.last_end - self.first_start))


def searched(
    make_command: Callable[[Path], Sequence[str]], read: Callable[[Path], Any]
) -> Searched:
    """Run a search in a temporary folder, and read what it has done there."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.time()
        cost = measured(make_command(Path(folder)), Path(folder, "log.txt"))
        trained, first_start, last_end, first_epoch = read(Path(folder))
        return Searched(cost, trained, first_start - begun, last_end - begun, first_epoch - begun)


def write_work(file: Path, trained: Iterable[Trained], times: Sequence[float]) -> None:
    """Write what a peer's search has trained."""
    rows = [(t.config, t.epochs, t.max_epochs, t.seed) for t in trained]
    file.write_text(json.dumps({"trained": rows, "times": list(times)}))


def read_work(folder: Path) -> tuple[list[Trained], float, float, float]:
    found = json.loads((folder / "work.json").read_text())
    first_start, last_end, first_epoch = found["times"]
    return [Trained(*row) for row in found["trained"]], first_start, last_end, first_epoch


def in_turns(rounds: int, sides: Mapping[str, Callable[[int], Any]]) -> dict[str, list[Any]]:
    """Run each side once a round, in changing order, because the machine's speed drifts."""
    results: dict[str, list[Any]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            results[name].append(sides[name](number))
            print(f"round {number + 1}  {name}", file=sys.stderr, flush=True)
    return results


def spread(values: Sequence[float], digits: int = 4, *, of_mean: bool = False) -> str:
    """The mean; if there are several values, also their standard deviation or, with ``of_mean``,
    the standard error of the mean."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    deviation = statistics.stdev(values) / (len(values) ** 0.5 if of_mean else 1)
    return f"{mean} +- {deviation:.{digits}f}"


def middle(values: Iterable[float], digits: int = 2) -> str:
    """The median; if there are several values, also their range."""
    ordered = sorted(values)
    median = statistics.median(ordered)
    if len(ordered) == 1:
        return f"{median:.{digits}f}"
    return f"{median:.{digits}f} ({ordered[0]:.{digits}f} .. {ordered[-1]:.{digits}f})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
