"""Thousands of short trials of which some raise, some diverge and some lose their process: is each
recorded once, and does memory stay flat? ``python -m benchmarks.soak``"""

from __future__ import annotations

import importlib
import os
import random
import signal
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

from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.attempts import Cause
from pipelines.tuner.progress import Incumbent, Progress
from search_spaces import Float, SearchSpace

RAISE, DIVERGE = 0.05, 0.25  # below the first x raises, below the second it diverges
SPACE = SearchSpace({"x": Float(0.0, 1.0)})
_MiB = 2**20


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
    """Kills a process of a trial each time so many trials have finished, and notes memory."""

    def __init__(self, every: int, note_every: int) -> None:
        self._every, self._note_every = every, note_every
        self._rng = random.Random(0)
        self._killed_at = self._noted_at = 0
        self.killed = 0
        self.again: Counter[Cause] = Counter()

    def progress(self, progress: Progress) -> None:
        done = progress.finished
        if done - self._killed_at >= self._every:
            self._killed_at = done
            if workers := workers_of(os.getpid()):
                os.kill(self._rng.choice(workers), signal.SIGKILL)
                self.killed += 1
        if done - self._noted_at >= self._note_every:
            self._noted_at = done
            sizes = [resident(pid) for pid in workers_of(os.getpid())]
            print(
                f"{done:6}  driver {resident(os.getpid()) / _MiB:6.0f} MiB  "
                f"largest worker {max(sizes, default=0) / _MiB:6.0f} MiB  "
                f"{progress.seconds:6.0f} s  {self.killed} killed",
                flush=True,
            )

    def new_best(self, incumbent: Incumbent) -> None: ...

    def failed(self, trial: FinishedTrial) -> None: ...

    def tried_again(self, trial_id: str, cause: Cause, epoch: int, why: str) -> None:
        self.again[cause] += 1


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
        if "Trainable" in name or "StudyTrial" in name
        if driver in _above(pid, parents)
    ]


def _above(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid in parents:
        pid = parents[pid]
        yield pid


def resident(pid: int) -> int:
    """Bytes."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def main(*, trials: int = 2000, kill: float = 0.1, seed: int = 0) -> int:
    """Search, and say what came of it; exit code 1 where it is not as it should be."""
    from pipelines.cluster.connect import LOCAL, connect
    from pipelines.study.run_study import run_study
    from pipelines.study.spec import StudySpec
    from pipelines.study.study import Study
    from trainables.data.datasets import load

    settings = {
        "problem": {"trainable": "soak:train", "space": "soak:SPACE", "metric": "val_loss"},
        "search": {"algo": "random", "seed": seed},
        "budget": {"trials": trials, "max_epochs": 3},
        "stopping": {"scheduler": "none"},
    }
    saboteur = Saboteur(every=max(1, round(1 / kill)), note_every=max(1, trials // 10))
    with connect(LOCAL, dashboard=False) as cluster, tempfile.TemporaryDirectory() as folder:
        spec = StudySpec.model_validate({**settings, "run": {"name": "soak", "runs_dir": folder}})
        study = Study(spec, SPACE, train, (load("wine"),))
        started = time.monotonic()
        run_study(study, cluster, saboteur)
        seconds = time.monotonic() - started
        found = load_journal(RunFiles(Path(folder, "soak")).journal)
    return report(found, trials, saboteur, seconds)


def report(found: list[FinishedTrial], asked: int, saboteur: Saboteur, seconds: float) -> int:
    """Print what became of the trials."""
    states = Counter("diverged" if t.diverged else t.state.value for t in found)
    raised = sum(t.state is State.FAIL and t.error.startswith("ValueError") for t in found)
    should = sum(t.config["x"] < RAISE for t in found)  # type: ignore[operator]
    distinct = len({t.config["x"] for t in found})
    again = ", ".join(f"{n} {cause.name}" for cause, n in saboteur.again.items()) or "none"
    print(f"asked {asked}, recorded {len(found)}, distinct {distinct}: {dict(states)}")
    if other := {t.error for t in found if t.state is State.FAIL and "no luck" not in t.error}:
        print(*other, sep="\n")
    print(f"raised {raised} of {should} that should; killed {saboteur.killed}; again: {again}")
    print(f"{seconds:.0f} s, {seconds / asked * 1000:.0f} ms a trial")
    return 0 if len(found) == distinct == asked else 1


if __name__ == "__main__":
    # By its name, so that the workers are sent its source.
    sys.exit(cyclopts.run(importlib.import_module("benchmarks.soak").main))
