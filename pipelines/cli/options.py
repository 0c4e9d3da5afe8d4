"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pipelines.cli.arguments import option, real
from pipelines.cli.memory import parse_memory

ConfigFile: TypeAlias = Annotated[
    Any,
    option(
        Path,
        "Its hyperparameters, in YAML: a mapping, or a list whose first counts.",
        "Network",
        "file",
        show_default="the first that a search tries",
    ),
]
Target: TypeAlias = Annotated[
    Any, option(str, "The column to predict, of a table file.", "Data", "column")
]
Memory: TypeAlias = Annotated[
    Any,
    option(
        parse_memory,
        "The most that a step may need: 2GB, 500MB, 1.5GiB.",
        "Limits",
        "amount",
        show_default="all of a GPU, half of a machine without",
    ),
]
Cpus: TypeAlias = Annotated[
    float, option(real(0), "CPUs that a trial will have.", "Limits", "cpus")
]


def output_folder(default: str) -> Any:
    """A Typer option for the folder of a command's results."""
    return option(
        Path,
        "A new folder for the figures and the numbers.",
        "Output",
        "folder",
        show_default=default,
    )
