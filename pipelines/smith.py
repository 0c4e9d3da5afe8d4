"""Smith's recipe for a first config: ``python pipelines/smith.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import choice, new_output_folder, option, whole
from pipelines.cli.command import main
from pipelines.cli.options import ConfigFile, Cpus, Memory, Target, output_folder
from search_spaces import SPACES

_NETWORK, _DATA, _TESTS = "Network", "Data", "Tests"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def smith(
    model: Annotated[str, choice(SPACES, "The network to train.", _NETWORK)] = "mlp",
    config: ConfigFile = None,
    data: Annotated[str, option(str, "As for run.py.", _DATA, "name|path")] = "digits",
    target: Target = None,
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
    memory: Memory = None,
    cpus: Cpus = 1,
    output: Annotated[Any, output_folder("smith/DATA-MODEL-TIME")] = None,
) -> None:
    """Test batch size, learning rate, momentum and weight decay, and write a config for a search to
    begin with."""
    from rich.console import Console

    from pipelines.cli.display import print_plain
    from pipelines.recipe.results import closing_lines, save_recipe
    from pipelines.recipe.steps import run_recipe
    from pipelines.recipe.subject import find_subject
    from trainables.data.datasets import describe, load
    from trainables.device.share import pick_device, set_threads
    from trainables.device.step_memory import default_bound
    from trainables.networks import NETWORKS

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
        NETWORKS[subject.model],
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
