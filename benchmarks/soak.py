"""Thousands of short trials: some raise an error, some diverge, some lose their process, and the
driver is killed and the search resumed. Is each trial recorded once, and does memory stay flat?

    python -m benchmarks.soak
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cyclopts
import torch

from benchmarks.harness import HERE
from pipelines.record.files import RunFiles
from pipelines.record.lines import read_lines
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.runs import open_run
from search_spaces import Float, SearchSpace

RAISE, DIVERGE = 0.05, 0.25  # below the first x raises, below the second it diverges
SPACE = SearchSpace({"x": Float(0.0, 1.0)})
_MiB = 2**20
_LOOK = 0.3  # seconds from one look at the record to the next


def train(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Iterator[Any]:
    """A linear model on noise."""
    model = torch.nn.Linear(16, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(max_epochs):
        if config["x"] < RAISE and epoch == 1:
            raise ValueError(f"no luck with {config['x']:.4f}")
        loss = (model(torch.randn(64, 16)) - config["x"]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        diverges = RAISE <= config["x"] < DIVERGE and epoch == 1
        yield {"val_loss": float("nan") if diverges else loss.item()}, model


class Saboteur:
    """Kills the process of a trial whenever a number of trials has ended, kills the driver a few
    times, and prints the memory of both."""

    def __init__(self, trials: int, workers: float, drivers: int) -> None:
        self._every = max(1, round(1 / workers))
        self._note_every = max(1, trials // 20)
        self._drivers_at = [trials * n // (drivers + 1) for n in range(1, drivers + 1)]
        self._rng = random.Random(0)
        self._killed_at = self._noted_at = 0
        self._started = time.monotonic()
        self.workers = self.drivers = 0

    def look(self, driver: int, done: int) -> None:
        """Kill what is due in a search of which ``done`` trials have ended, and print its
        memory."""
        if done - self._noted_at >= self._note_every:
            self._noted_at = done
            sizes = [resident(pid) for pid in workers_of(driver)]
            print(
                f"{done:6}  driver {resident(driver) / _MiB:6.0f} MiB  "
                f"largest worker {max(sizes, default=0) / _MiB:6.0f} MiB  "
                f"{time.monotonic() - self._started:6.0f} s  {self.workers} workers killed",
                flush=True,
            )
        if done - self._killed_at >= self._every:
            self._killed_at = done
            if workers := workers_of(driver):
                os.kill(self._rng.choice(workers), signal.SIGKILL)
                self.workers += 1
        if self.drivers < len(self._drivers_at) and done >= self._drivers_at[self.drivers]:
            os.kill(driver, signal.SIGKILL)
            self.drivers += 1
            print(f"{done:6}  driver killed", flush=True)


def workers_of(driver: int) -> list[int]:
    """The processes of trials among the descendants of ``driver``."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(stat[1])
            names[int(folder.name)] = (folder / "cmdline").read_text().split("\0")[0]
    return [
        pid
        for pid, name in names.items()
        if name.startswith("ray::") and "Agent" not in name
        if driver in _above(pid, parents)
    ]


def _above(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid in parents:
        pid = parents[pid]
        yield pid


def resident(pid: int) -> int:
    """The resident memory of a process in bytes; 0 if the process has ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    script = str(HERE.parent / "pipelines" / "run.py")
    return subprocess.Popen(
        [sys.executable, script, *options, "--address", "local", "--no-dashboard"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        stdout=subprocess.DEVNULL,
    )


def main(
    *,
    trials: int = 2000,
    kill: float = 0.1,
    kill_driver: int = 3,
    seed: int = 0,
) -> int:
    """Search, and print what became of the trials; exit code 1 if anything is wrong."""
    saboteur = Saboteur(trials, kill, kill_driver)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        folder = Path(parent)
        files = RunFiles(folder / "runs" / "soak")
        search = start(
            folder,
            *("--trainable", "benchmarks.soak:train", "--space", "benchmarks.soak:SPACE"),
            *("--metric", "val_loss", "--data", "wine", "--algo", "random", "--seed", str(seed)),
            *("--trials", str(trials), "--max-epochs", "3", "--scheduler", "none"),
            *("--name", "soak"),
        )
        started = time.monotonic()
        while (code := search.poll()) is None or code == -signal.SIGKILL:
            if code is not None:
                search = start(folder, "--resume", "runs/soak")
            time.sleep(_LOOK)
            done = sum("ended" in event for event in read_lines(files.events))
            saboteur.look(search.pid, done)
        seconds = time.monotonic() - started
        found = open_run(files.folder).finished
    print(f"exit code {code}")
    return report(found, trials, saboteur, seconds)


def report(found: list[FinishedTrial], asked: int, saboteur: Saboteur, seconds: float) -> int:
    """Print what became of the trials; 1 if anything is wrong."""
    states = Counter("diverged" if t.diverged else t.state.value for t in found)
    raised = sum(t.state is State.FAIL and t.error.startswith("ValueError") for t in found)
    should = sum(t.config["x"] < RAISE for t in found)  # type: ignore[operator]
    distinct = len({t.config["x"] for t in found})
    print(f"asked {asked}, recorded {len(found)}, distinct {distinct}: {dict(states)}")
    if other := {t.error for t in found if t.state is State.FAIL and "no luck" not in t.error}:
        print(*other, sep="\n")
    print(f"raised {raised} of {should} that should; killed {saboteur.workers} workers,", end=" ")
    print(f"{saboteur.drivers} drivers; {sum(t.resumed > 0 for t in found)} trials tried again")
    print(f"{seconds:.0f} s, {seconds / asked * 1000:.0f} ms a trial")
    return 0 if len(found) == distinct == asked and raised == should else 1


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
