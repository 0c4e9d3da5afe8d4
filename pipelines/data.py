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
    """How the data are read."""

    target: str | None = None
    """The column to predict, if the data are a table file."""
    drop: Columns = ()
    """A column of a table file to leave out; may be repeated."""
    category: Columns = ()
    """A column whose numbers stand for categories; may be repeated."""
    task: Task | None = None
    """What the target's numbers are: classes (classification) or a quantity (regression)."""
    seed: NotNegative = 0
    """The seed of the split."""


def data(
    source: Annotated[
        str, Parameter(help="The data, as for --data of run.py.", allow_leading_hyphen=False)
    ],
    /,
    *,
    settings: Annotated[DataSettings, panel("Options", 1)] = DataSettings(),
) -> None:
    """Print how each column of a table is read, what inputs it becomes, the classes and the split.
    Also for named data sets and folders of images. Nothing is written."""
    from pipelines.cli.data import print_data

    reading = Reading(settings.drop, settings.category, settings.task)
    print_data(source, settings.target, settings.seed, reading)


app = command(data)

if __name__ == "__main__":
    sys.exit(main(app))
