"""The LR range test: ``python pipelines/lr_range_test.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from typing import Annotated

from pipelines.cli.command import command, main
from pipelines.recipe.settings import LimitSettings, SweepSettings
from pipelines.recipe.subject import SubjectSettings
from pipelines.study.settings import panel


def lr_range_test(
    *,
    subject: Annotated[SubjectSettings, panel("Network and data", 1)] = SubjectSettings(),
    sweep: Annotated[SweepSettings, panel("Sweep", 2)] = SweepSettings(),
    limits: Annotated[LimitSettings, panel("Limits and output", 3)] = LimitSettings(),
) -> None:
    """Train while the learning rate rises, and print the range in which training works."""
    from pipelines.cli.lr_range_test import run_lr_range_test

    run_lr_range_test(subject, sweep, limits)


app = command(lr_range_test)

if __name__ == "__main__":
    sys.exit(main(app))
