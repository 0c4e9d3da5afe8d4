"""What a trial costs besides its training: this pipeline against a stock Ray Tune script.

    python -m benchmarks.overhead

Both sides run the same function, which trains nothing, on the same slots. The sides take turns, and
each run is a fresh process with its own Ray. The search is timed from before the first trial to
after the last; Ray's own start is not included. As in any search for networks, the function's
process imports torch. The stock script starts a process for each trial, so it pays for this import
each time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from benchmarks.harness import in_turns, middle, table
from benchmarks.nothing import study_of_nothing

EPOCHS = 5
SLOTS = 2


def train(config: dict[str, Any], data: object, **_: Any) -> Iterator[tuple[dict[str, Any], None]]:
    """A training that costs nothing."""
    import torch

    for epoch in range(1, EPOCHS + 1):
        yield {"val_loss": float(torch.tensor(config["x"] / epoch))}, None


def stock(trials: int) -> float:
    """Seconds of a search written as in Ray's documentation, with all of Tune's defaults."""
    import ray
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        for metrics, _ in train(config, None):
            tune.report(metrics)

    ray.init("local", num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            trainable,
            param_space={"x": tune.uniform(0.0, 1.0)},
            tune_config=tune.TuneConfig(metric="val_loss", mode="min", num_samples=trials),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        started = time.perf_counter()
        results = tuner.fit()
        seconds = time.perf_counter() - started
    assert len(results) == trials
    return seconds


def ours(trials: int) -> float:
    """Seconds of the same search through :func:`pipelines.study.run_study.run_study`."""
    from rich.console import Console

    from pipelines.cli.display import Display
    from pipelines.cluster.connect import LOCAL, connect
    from pipelines.study.ahead import IMPORTS
    from pipelines.study.run_study import run_study
    from search_spaces import Float, SearchSpace

    space = SearchSpace({"x": Float(0.0, 1.0)})
    with (
        connect(LOCAL, dashboard=False, modules=IMPORTS) as cluster,
        tempfile.TemporaryDirectory() as folder,
    ):
        study = study_of_nothing(train, space, "random", trials, EPOCHS, SLOTS, folder)
        started = time.perf_counter()
        result = run_study(study, cluster, Display(Console(quiet=True), study.metric_name))
        seconds = time.perf_counter() - started
    assert len(result.trials) == trials
    return seconds


SIDES = {"stock": stock, "ours": ours}


def measure(side: str, trials: int) -> float:
    """Seconds per trial of one side, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--side", side]
    command += [f"--{side}-trials", str(trials)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])) / trials


def main(
    ours_trials: Annotated[int, Parameter(help="Trials of this pipeline.")] = 200,
    stock_trials: Annotated[int, Parameter(help="Trials of the stock script.")] = 20,
    rounds: Annotated[int, Parameter(help="Runs of each side.")] = 3,
    side: Annotated[str, Parameter(show=False)] = "",
) -> None:
    """Print seconds per trial of both sides, and the ratio."""
    trials = {"stock": stock_trials, "ours": ours_trials}
    if side:
        print(json.dumps(SIDES[side](trials[side])))
        return
    seconds = in_turns(rounds, {n: lambda _, n=n: measure(n, trials[n]) for n in SIDES})  # type: ignore[misc]
    ratio = statistics.median(seconds["stock"]) / statistics.median(seconds["ours"])
    rows = [
        ["stock Ray Tune script", str(stock_trials), middle(seconds["stock"], 4), "1"],
        ["this pipeline", str(ours_trials), middle(seconds["ours"], 4), f"1/{ratio:.0f}"],
    ]
    print(table(["", "trials a run", "seconds per trial", "ratio"], rows))


if __name__ == "__main__":
    cyclopts.run(main)
