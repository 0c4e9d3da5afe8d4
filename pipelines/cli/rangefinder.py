"""All commands under one name: ``rangefinder run --algo optuna``. Each is loaded when called."""

from __future__ import annotations

from importlib.metadata import version
from typing import NoReturn

from cyclopts import App

from pipelines.cli.command import leave
from pipelines.cli.command import main as run_app

COMMANDS = {
    "run": "Search for a good network for your data.",
    "report": "Look at a run.",
    "dashboard": "Look at runs in a browser, while they run too.",
    "evaluate": "What the winner of a run is worth, on its test set.",
    "export": "The winner of a run as a folder to use.",
    "predict": "Predictions of an exported model.",
    "replay": "Whether a trial trained again is the same.",
    "compare": "Compare search algorithms.",
    "zoom": "The ranges that a next search would take from a run.",
    "smith": "Smith's recipe for a first config.",
    "lr_range_test": "The LR range test.",
    "batch_size": "The batch size test.",
    "data": "How a data set is read, and what a search makes of it.",
    "fetch": "Bring a run home from a cluster.",
}

app = App(
    name="rangefinder",
    help="Hyperparameter search for neural networks on Ray Tune.",
    help_flags=["--help"],
    version=lambda: version("rangefinder"),
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _name, _help in COMMANDS.items():
    app.command(f"pipelines.{_name}:app", name=_name.replace("_", "-"), help=_help)


def main() -> NoReturn:
    """The console script."""
    leave(run_app(app))


if __name__ == "__main__":
    main()
