"""A search from a cold command: this pipeline beside Optuna alone, on the same work.

    python benchmarks/search.py --trials 40 --rounds 5

Each side searches the MLP's space on the same data with the same number of trials and epochs and
successive halving, from the start of the command to its end. Because the sides try different
networks, what counts is the useful share: the time that the training itself takes, of the very same
trials and epochs, trained again with nothing around them, over the time of all slots.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
from pipelines.study.runs import open_run


def ours(folder: Path, trials: int, algo: str, data: str, seed: int) -> Sequence[str]:
    script = HERE.parent / "pipelines" / "run.py"
    return [
        *(sys.executable, str(script), "--algo", algo, "--data", data, "--trials", str(trials)),
        *("--seed", str(seed), "--name", "run", "--runs-dir", str(folder), "--no-dashboard"),
        *("--address", "local"),
    ]


def read_ours(folder: Path) -> tuple[list[Trained], float, float, float]:
    opened = open_run(folder / "run")
    done, epochs = opened.finished, opened.spec.budget.max_epochs
    trained = [Trained(t.config, t.epochs, epochs, t.seed) for t in done]
    starts = [t.started for t in done]
    first = min(t.started + (t.curves["seconds"][0] or 0) for t in done if t.curves.get("seconds"))
    return trained, min(starts), max(t.started + t.seconds for t in done), first


def alone(folder: Path, trials: int, algo: str, data: str, seed: int) -> Sequence[str]:
    script = HERE / "peers" / "optuna_alone.py"
    return [
        *(sys.executable, str(script), str(folder), "--trials", str(trials), "--algo", algo),
        *("--data", data, "--seed", str(seed)),
    ]


SIDES = {"ours": (ours, read_ours), "optuna alone": (alone, read_work)}


def main(
    trials: Annotated[int, Parameter(help="Of each search.")] = 40,
    algo: Annotated[str, Parameter(help="optuna (TPE) or random.")] = "optuna",
    data: Annotated[str, Parameter(help="A built-in data set.")] = "digits",
    rounds: Annotated[int, Parameter(help="Runs of each side, with a seed each.")] = 3,
    slots: Annotated[int, Parameter(help="Trials at once.")] = 2,
    sides: Annotated[list[str] | None, Parameter(help="Of all.")] = None,
) -> None:
    """Print a table of both sides."""

    def side(name: str, seed: int) -> tuple[Searched, float]:
        command, read = SIDES[name]
        done = searched(lambda folder: command(folder, trials, algo, data, seed), read)
        return done, bare_seconds(done.trained, "mlp", data, slots)

    names = sides or list(SIDES)
    results = in_turns(rounds, {n: lambda seed, n=n: side(n, seed) for n in names})  # type: ignore[misc]
    rows = []
    for name, runs in results.items():
        kinds = sorted({kind for done, _ in runs for kind in done.cost.cpu})
        rows.append(
            [
                name,
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
