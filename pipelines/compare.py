"""Compare search algorithms: ``python pipelines/compare.py --algos random optuna --seeds 5``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, leave, main
from pipelines.cli.connection import Connection
from pipelines.study.comparing.comparison_spec import ComparisonSpec
from pipelines.study.settings import panel


def compare(
    *,
    spec: Annotated[ComparisonSpec, Parameter(name="*")] = ComparisonSpec(),
    where: Annotated[Connection, panel("Resources", 6)] = Connection(dashboard=False),
) -> int:
    """Run each algorithm with each seed, and print which found the best config."""
    from pipelines.cli.comparison import run_comparison

    return run_comparison(spec, where)


app = command(compare)

if __name__ == "__main__":
    leave(main(app))
