"""All commands under one name: ``rangefinder run --algo optuna``. Each is loaded on demand."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import NoReturn

from cyclopts import App

from pipelines.cli.command import leave
from pipelines.cli.command import main as run_app

COMMANDS = {
    "run": "Search for a good network for your data.",
    "report": "Look at a run.",
    "dashboard": "Look at runs in a browser, also while they run.",
    "evaluate": "Score the winner of a run on the test set.",
    "export": "Write the winner of a run into a folder, to use it.",
    "predict": "Predict with an exported model.",
    "replay": "Train a trial again, and check its record.",
    "compare": "Compare search algorithms.",
    "zoom": "Print the ranges that --zoom-from would take from a run.",
    "smith": "Find a first config by Smith's recipe.",
    "lr_range_test": "Make an LR range test.",
    "batch_size": "Make a batch size test.",
    "data": "Print how a data set is read, and what inputs it becomes.",
    "fetch": "Bring a run home from a cluster.",
}

app = App(
    name="rangefinder",
    help="Hyperparameter search for neural networks on Ray Tune.",
    help_flags=["--help", "-h"],
    version=lambda: version("rangefinder"),
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _name, _help in COMMANDS.items():
    _typed = _name.replace("_", "-")
    # In the list of commands. The help of a command itself says more.
    _listed = None if sys.argv[1:2] == [_typed] else _help
    app.command(f"pipelines.{_name}:app", name=_typed, help=_listed)


def main() -> NoReturn:
    """The console script."""
    leave(run_app(app))


if __name__ == "__main__":
    main()
