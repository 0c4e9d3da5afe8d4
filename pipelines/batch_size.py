"""The batch size test: ``python pipelines/batch_size.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from typing import Annotated

from pipelines.cli.command import command, main
from pipelines.recipe.settings import BatchSizeSettings, LimitSettings, ScalingSettings
from pipelines.recipe.subject import SubjectSettings
from pipelines.study.settings import panel


def batch_size(
    *,
    subject: Annotated[SubjectSettings, panel("Network and data", 1)] = SubjectSettings(),
    step: Annotated[BatchSizeSettings, panel("Limits and output", 2)] = BatchSizeSettings(),
    limits: Annotated[LimitSettings, panel("Limits and output", 2)] = LimitSettings(),
    scaling: Annotated[ScalingSettings, panel("Learning rate", 3)] = ScalingSettings(),
) -> None:
    """Double the batch until memory or samples run out; print above which size it gains little."""
    from pipelines.cli.batch_size import run_batch_size

    run_batch_size(subject, step, scaling, limits)


app = command(batch_size)

if __name__ == "__main__":
    sys.exit(main(app))
