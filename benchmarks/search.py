"""A search from a cold command: this pipeline and others, on the same work.

    python -m benchmarks.search --trials 40 --rounds 5
    pip install -e '.[peers]'
    python -m benchmarks.search --sides all

Each side searches the MLP's space on the same data, with the same number of trials and epochs, with
successive halving and without a portfolio. Parameters that these data have no use for are fixed. A
command is timed from its start to its end. The sides try different networks, so what counts is the
useful share: the time that the training alone takes, divided by the time of all slots. To measure
that time, the very same trials are trained again for the same epochs, with nothing around them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, run

from benchmarks.harness import (
    HERE,
    Searched,
    Trained,
    bare_seconds,
    in_turns,
    middle,
    read_work,
    searched,
    table,
)
from benchmarks.peers.training import Work
from pipelines.study.runs import open_run


@dataclass(frozen=True)
class Side:
    """How a side's search is started, and how its results are read."""

    title: str
    command: Callable[[Path, Work], Sequence[str]]
    read: Callable[[Path], tuple[list[Trained], float, float, float]]


def same(work: Work) -> Sequence[str]:
    """The options that all sides have."""
    return [
        *("--trials", str(work.trials), "--algo", work.algo, "--data", work.data),
        *("--seed", str(work.seed)),
    ]


def ours(folder: Path, work: Work) -> Sequence[str]:
    script = HERE.parent / "pipelines" / "run.py"
    return [
        *(sys.executable, str(script), *same(work), "--max-concurrent", str(work.slots)),
        *("--name", "run", "--runs-dir", str(folder), "--no-dashboard", "--address", "local"),
        "--no-portfolio",
    ]


def without_models(folder: Path, work: Work) -> Sequence[str]:
    """Without quick models, because the other sides fit none either."""
    return [*ours(folder, work), "--no-baseline"]


def read_ours(folder: Path) -> tuple[list[Trained], float, float, float]:
    opened = open_run(folder / "run")
    done, epochs = opened.finished, opened.spec.budget.max_epochs
    trained = [Trained(t.config, t.epochs, epochs, t.seed) for t in done]
    starts = [t.started for t in done]
    first = min(t.started + (t.curves["seconds"][0] or 0) for t in done if t.curves.get("seconds"))
    return trained, min(starts), max(t.started + t.seconds for t in done), first


def peer(title: str, script: str, *options: str) -> Side:
    """A side that runs a script of benchmarks/peers."""

    def command(folder: Path, work: Work) -> Sequence[str]:
        return [
            *(sys.executable, "-m", f"benchmarks.peers.{script}", str(folder)),
            *(*same(work), "--slots", str(work.slots), *options),
        ]

    return Side(title, command, read_work)


SIDES = {
    "ours": Side("this pipeline", without_models, read_ours),
    "ours-models": Side("this pipeline, with its quick models", ours, read_ours),
    "optuna": peer("Optuna alone", "optuna_alone"),
    "ray": peer("Ray Tune alone", "ray_alone"),
    "ray-reuse": peer("Ray Tune alone, `reuse_actors`", "ray_alone", "--reuse-actors"),
    "hyperopt": peer("HyperOpt alone", "hyperopt_alone"),
    "syne-tune": peer("Syne Tune alone", "syne_tune_alone"),
}
USUAL = ("ours", "optuna")


def main(
    trials: Annotated[int, Parameter(help="Trials of each search.")] = 40,
    algo: Annotated[str, Parameter(help="optuna (TPE) or random.")] = "optuna",
    data: Annotated[str, Parameter(help="A built-in data set.")] = "digits",
    rounds: Annotated[int, Parameter(help="Runs of each side, with a seed each.")] = 3,
    slots: Annotated[int, Parameter(help="Trials at once.")] = 2,
    sides: Annotated[
        list[str] | None,
        Parameter(help=f"Any of {', '.join(SIDES)}, or all; by default {' and '.join(USUAL)}."),
    ] = None,
) -> None:
    """Print a table with a row for each side."""

    def side(name: str, seed: int) -> tuple[Searched, float]:
        chosen, work = SIDES[name], Work(trials, algo, data, seed=seed, slots=slots)
        done = searched(lambda folder: chosen.command(folder, work), chosen.read)
        return done, bare_seconds(done.trained, work.model, data, seed, slots)

    names = list(SIDES) if sides == ["all"] else sides or USUAL
    results = in_turns(rounds, {n: lambda seed, n=n: side(n, seed) for n in names})  # type: ignore[misc]
    rows = []
    for name, runs in results.items():
        kinds = sorted({kind for done, _ in runs for kind in done.cost.cpu})
        rows.append(
            [
                SIDES[name].title,
                middle(done.cost.wall for done, _ in runs),
                middle(done.first_epoch for done, _ in runs),
                middle(done.cost.wall - done.last_end for done, _ in runs),
                middle(bare for _, bare in runs),
                middle(done.useful(bare, slots) for done, bare in runs),
                middle(done.useful_once_started(bare, slots) for done, bare in runs),
                ", ".join(
                    f"{kind} {middle(done.cost.cpu.get(kind, 0.0) for done, _ in runs)}"
                    for kind in kinds
                ),
            ]
        )
    header = ["", "wall, s", "first epoch, s", "after the last trial, s", "bare training, s"]
    print(table([*header, "useful share", "once started", "CPU, s"], rows))


if __name__ == "__main__":
    run(main)
