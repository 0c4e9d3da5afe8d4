"""What the record of a large search costs: to write, to open, to resume from, and on the disk.

    python -m benchmarks.record

Trials of the MLP's space with made-up values are written as a search writes them. Then the search
is prepared to go on from this record. No trial runs.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import cyclopts
import numpy as np

from benchmarks.harness import table
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.journal import load_journal
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.writing import Record, start_run
from pipelines.study.resume.resuming import resume
from pipelines.study.runs import open_run
from pipelines.study.spec import StudySpec
from pipelines.study.study import Study
from pipelines.tuner.rebuilding import resumed_sampler, tell_again
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.scheduling.judge import Judge
from search_spaces import SPACES, Config
from trainables.data.datasets import load
from trainables.networks import NETWORKS

GOALS = Goals((Aim("val_accuracy", "max"),))
LOSSES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr", "momentum", "seconds")


def made(number: int, config: Config, epochs: int, rng: np.random.Generator) -> FinishedTrial:
    """A trial with made-up curves that have as many digits as those of a training."""
    curve = {epoch: float(rng.random()) for epoch in range(1, epochs + 1)}
    best = max(curve, key=lambda epoch: curve[epoch])
    curves = {name: [float(f"{v:.6g}") for v in rng.random(epochs)] for name in LOSSES}
    return FinishedTrial(
        f"{number:08x}",
        config,
        State.COMPLETE,
        curve,
        curve[best],
        best,
        metrics={name: float(rng.random()) for name in LOSSES},
        curves=curves,
        started=1e9 + number,
        seconds=9.5,
        node="10.0.0.1",
    )


def write(folder: Path, trials: int, epochs: int) -> float:
    """Seconds for all that a driver writes; the last ten trials do not end."""
    data = load("digits")
    spec = StudySpec().but(
        problem={"metric": "val_accuracy"},
        budget={"trials": trials + 100, "max_epochs": epochs},
        run={"name": folder.name, "runs_dir": folder.parent},
    )
    study = Study(spec, SPACES["mlp"], NETWORKS["mlp"], (data,))
    files = RunFiles(folder)
    start_run(files, spec.model_dump(mode="json"), study.prepared())
    rng = np.random.default_rng(0)
    sampler = make_sampler("random", study.problem, 0.0)
    configs = [sampler.ask(str(number)) for number in range(trials + 10)]
    made_up = [made(n, config, epochs, rng) for n, config in enumerate(configs) if config]
    record = Record(files, files.journal, SPACES["mlp"], GOALS, events=files.events)
    assert record.events is not None
    started = time.perf_counter()
    for number, trial in enumerate(made_up):
        record.events.asked(trial.trial_id, trial.config, 0, "")
        for epoch, value in trial.curve.items():
            record.events.reported(trial.trial_id, [(epoch, value)])
        if number < trials:
            record.append(trial)
        record.flush()
    record.close()
    return time.perf_counter() - started


def measure(trials: int, epochs: int) -> list[list[str]]:
    """Rows with the seconds of each thing that is done with the record, and with its size."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "run")
        rows = [["written, in all", f"{write(folder, trials, epochs):.1f} s"]]
        files = RunFiles(folder)
        for path in (files.journal, files.events):
            rows.append([path.name, f"{path.stat().st_size / 2**20:.1f} MiB"])

        def timed(what: str, seconds: float) -> None:
            rows.append([what, f"{seconds:.2f} s"])

        started = time.perf_counter()
        open_run(folder)
        timed("opened", time.perf_counter() - started)
        started = time.perf_counter()
        assert len(load_journal(files.journal)) == trials
        timed("all trials read", time.perf_counter() - started)
        started = time.perf_counter()
        study = resume(folder)
        timed("resume: read", time.perf_counter() - started)
        assert study.resumed is not None
        before = study.resumed.search
        assert len(before.unfinished) == 10
        started = time.perf_counter()
        tell_again(Judge(study.scheduler.make(study.stopping), study.metric_name), before)
        timed("resume: the scheduler", time.perf_counter() - started)
        for algo in ALGORITHMS:
            if algo in ("grid", "gp", "genetic", "cmaes"):
                continue
            started = time.perf_counter()
            sampler, same = resumed_sampler(algo, study.problem, 0.0, before)
            built = time.perf_counter() - started
            sampler.ask("new")
            first = time.perf_counter() - started - built
            words = "asked again" if same else "primed"
            rows.append([f"resume: {algo}, {words}", f"{built:.2f} s, then {first:.2f} s"])
        started = time.perf_counter()
        Record(files, files.journal, study.space, GOALS, events=files.events)
        timed("resume: the journal is appended to", time.perf_counter() - started)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return [*rows, ["memory, at most", f"{most:.0f} MiB"]]


app = cyclopts.App(help=__doc__)


@app.default
def main(trials: int = 10_000, epochs: int = 30) -> None:
    """Write, open and resume from the record of a search."""
    print(table(["", f"{trials:,} trials of {epochs} epochs"], measure(trials, epochs)))


if __name__ == "__main__":
    app()
