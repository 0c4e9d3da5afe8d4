"""Smith's recipe for a first config: ``python pipelines/smith.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import choice, new_output_folder, option, real, whole
from pipelines.cli.command import main
from pipelines.cli.memory import parse_memory
from search_spaces import SPACES

_NETWORK, _DATA, _TESTS, _OUTPUT = "Network", "Data", "Tests", "Output"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def smith(
    model: Annotated[str, choice(SPACES, "The network to train.", _NETWORK)] = "mlp",
    config: Annotated[
        Any,
        option(
            Path,
            "Its hyperparameters, in YAML: a mapping, or a list whose first counts.",
            _NETWORK,
            "file",
            show_default="the first that a search tries",
        ),
    ] = None,
    data: Annotated[str, option(str, "As for run.py.", _DATA, "name|path")] = "digits",
    target: Annotated[
        Any, option(str, "The column to predict, of a table file.", _DATA, "column")
    ] = None,
    seed: Annotated[int, option(whole(0), "Of the split and the trainings.", _DATA, "n")] = 0,
    epochs: Annotated[
        Any,
        option(
            whole(2),
            "Of each training that compares momenta or decays.",
            _TESTS,
            "n",
            show_default="5, or 80 optimiser steps",
        ),
    ] = None,
    memory: Annotated[
        Any,
        option(
            parse_memory,
            "The most that a step may need: 2GB, 500MB, 1.5GiB.",
            _TESTS,
            "amount",
            show_default="all of a GPU, half of a machine without",
        ),
    ] = None,
    cpus: Annotated[float, option(real(0), "CPUs that a trial will have.", _TESTS, "cpus")] = 1,
    output: Annotated[
        Any,
        option(
            Path,
            "A new folder for the config, the figures and the numbers.",
            _OUTPUT,
            "folder",
            show_default="smith/DATA-MODEL-TIME",
        ),
    ] = None,
) -> None:
    """Test batch size, learning rate, momentum and weight decay, and write a config for a search to
    begin with."""
    from rich.console import Console

    from pipelines.cli.display import print_plain
    from pipelines.recipe.results import closing_lines, save_recipe
    from pipelines.recipe.steps import run_recipe
    from pipelines.recipe.subject import find_subject
    from trainables.datasets import describe, load
    from trainables.device import pick_device, set_threads
    from trainables.networks import TRAINABLES
    from trainables.step_memory import default_bound

    console = Console(highlight=False)
    subject = find_subject(
        model=model, data=data, target=target, seed=seed, config=config, run=None
    )
    loaded = load(subject.data, target=subject.target, seed=subject.seed)
    folder = new_output_folder(output, "smith", f"{loaded.name}-{subject.model}")
    set_threads(cpus)
    device = pick_device(1)
    print_plain(console, f"data      {describe(loaded)}")
    recipe = run_recipe(
        TRAINABLES[subject.model],
        subject.config,
        SPACES[subject.model],
        loaded,
        epochs=epochs,
        memory=default_bound(device) if memory is None else memory,
        seed=subject.seed,
        device=device,
        say=lambda line: print_plain(console, line),
    )
    save_recipe(folder, subject, loaded, recipe, device)
    for line in closing_lines(folder, subject, recipe):
        print_plain(console, line)


if __name__ == "__main__":
    sys.exit(main(app))
