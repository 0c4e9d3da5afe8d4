"""Smith's recipe for a first config: ``python pipelines/smith.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from typing import Annotated

from pipelines.cli.command import command, main
from pipelines.recipe.settings import LimitSettings, ShortRunSettings
from pipelines.recipe.subject import SubjectSettings
from pipelines.study.settings import panel


def smith(
    *,
    subject: Annotated[SubjectSettings, panel("Network and data", 1)] = SubjectSettings(),
    short: Annotated[ShortRunSettings, panel("Tests", 2)] = ShortRunSettings(),
    limits: Annotated[LimitSettings, panel("Limits and output", 3)] = LimitSettings(),
) -> None:
    """Test batch size, learning rate, momentum and weight decay, and write a config for a search to
    begin with."""
    from pipelines.cli.smith import run_smith

    run_smith(subject, short, limits)


app = command(smith)

if __name__ == "__main__":
    sys.exit(main(app))
