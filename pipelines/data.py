"""How a data set is read: ``python pipelines/data.py mine.csv --target COLUMN``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, main
from pipelines.study.settings import Columns, NotNegative, Settings, panel
from trainables.data.reading import Reading
from trainables.task import Task


class DataSettings(Settings):
    """How it is read, where it is not as it looks."""

    target: str | None = None
    """The column to predict, of a table file."""
    drop: Columns = ()
    """A column of a table file to leave out; may be repeated."""
    category: Columns = ()
    """A column of numbers that are names; may be repeated."""
    task: Task | None = None
    """What the target's numbers are: classes (classification) or a quantity (regression)."""
    seed: NotNegative = 0
    """Of the split."""


def data(
    source: Annotated[
        str, Parameter(help="As --data of run.py takes it.", allow_leading_hyphen=False)
    ],
    /,
    *,
    settings: Annotated[DataSettings, panel("Options", 1)] = DataSettings(),
) -> None:
    """Print how each column of a table is read and what it becomes, the classes and the split; the
    same for named data and folders of images. Nothing is written."""
    from pipelines.cli.data import print_data

    reading = Reading(settings.drop, settings.category, settings.task)
    print_data(source, settings.target, settings.seed, reading)


app = command(data)

if __name__ == "__main__":
    sys.exit(main(app))
