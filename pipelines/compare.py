"""Compare search algorithms: ``python pipelines/compare.py --algos random optuna --seeds 5``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import check_run_name, choice, option, real, whole
from pipelines.cli.command import main
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.schedulers import SCHEDULERS
from search_spaces import SPACES
from trainables.training.metrics import METRICS

_WHAT, _ON, _BUDGET, _RUN = "Algorithms", "Problem", "Budget of each", "Run"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compare(
    algos: Annotated[
        list[str], choice(ALGORITHMS, "One or several, in a row.", _WHAT, names=["--algos"])
    ] = ["random", "optuna"],  # noqa: B006
    seeds: Annotated[int, option(whole(1), "Runs of each algorithm.", _WHAT, "n")] = 5,
    model: Annotated[str, choice(SPACES, "The network to search.", _ON)] = "mlp",
    data: Annotated[str, option(str, "As for run.py.", _ON, "name|path")] = "digits",
    target: Annotated[
        Any, option(str, "The column to predict, of a table file.", _ON, "column")
    ] = None,
    metric: Annotated[
        Any, choice(METRICS, "What to optimise.", _ON, show_default="val_accuracy, or val_r2")
    ] = None,
    fix: Annotated[
        list[str],
        option(str, "Fix a parameter; may be repeated.", _ON, "name=value", show_default="none"),
    ] = [],  # noqa: B006
    trials: Annotated[int, option(whole(1), "Configs to try.", _BUDGET, "n")] = 40,
    max_epochs: Annotated[int, option(whole(1), "Epochs of a trial.", _BUDGET, "n")] = 30,
    scheduler: Annotated[
        str, choice(SCHEDULERS, "What stops trials that perform badly.", _BUDGET)
    ] = "asha",
    cpus_per_trial: Annotated[float, option(real(0), "CPUs of a trial.", _BUDGET, "cpus")] = 1,
    address: Annotated[
        Any, option(str, "As for run.py.", _RUN, "address", show_default="as for run.py")
    ] = None,
    name: Annotated[
        str, option(str, "Of the comparison; one that exists goes on.", _RUN, "name")
    ] = "compare",
    runs_dir: Annotated[Any, option(Path, "Where runs are kept.", _RUN, "folder")] = "runs",
) -> int:
    """Run each algorithm with each seed, and say which found the best."""
    from pipelines.comparing import run_comparison
    from pipelines.plan.prepare import prepare
    from pipelines.search.study import StudySpec

    check_run_name(name)
    study = prepare(model=model, data=data, target=target, metric=metric, fixed=fix, seed=0)
    spec = StudySpec(
        algo="",
        model=model,
        data=data,
        metric=study.metric,
        trials=trials,
        max_epochs=max_epochs,
        scheduler=scheduler,
        target=target,
        cpus_per_trial=cpus_per_trial,
    )
    return run_comparison(spec, study, algos, range(seeds), runs_dir / name, address)


def spread(arguments: Sequence[str], name: str) -> list[str]:
    """``--algos a b`` as ``--algos a --algos b``."""
    result: list[str] = []
    in_list = False
    for argument in arguments:
        if argument.startswith("-"):
            in_list = argument == name
        elif in_list and result[-1] != name:
            result.append(name)
        result.append(argument)
    return result


if __name__ == "__main__":
    sys.exit(main(app, spread(sys.argv[1:], "--algos")))
