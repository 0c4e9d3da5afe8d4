"""What the winner of a run is worth: ``python pipelines/evaluate.py runs/NAME``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, leave, main
from pipelines.cli.connection import Address
from pipelines.study.settings import panel
from pipelines.study.spec import RunFolder
from pipelines.winner.settings import EvaluationSettings


def evaluate(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    /,
    *,
    settings: Annotated[EvaluationSettings, panel("Options", 1)] = EvaluationSettings(),
    where: Annotated[Address, panel("Resources", 2)] = Address(),
) -> None:
    """Train the winner of a run again on train and validation, and test it once on the test set."""
    from pipelines.cli.evaluate import run_evaluation

    run_evaluation(run, settings, where)


app = command(evaluate)

if __name__ == "__main__":
    leave(main(app))
