"""The batch size test: ``python pipelines/batch_size.py --model cnn --data digits``."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import choice, new_output_folder, option, real, whole
from pipelines.cli.command import main
from pipelines.cli.options import ConfigFile, Cpus, Memory, Target, output_folder
from search_spaces import SPACES

_NETWORK, _DATA, _LIMITS, _LR = "Network", "Data", "Limits", "Learning rate"
_SCALINGS = {"linear": "Goyal et al. 2017", "sqrt": "Krizhevsky 2014, Hoffer et al. 2017"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def batch_size(
    model: Annotated[str, choice(SPACES, "The network to train.", _NETWORK)] = "mlp",
    config: ConfigFile = None,
    data: Annotated[str, option(str, "As for run.py.", _DATA, "name|path")] = "digits",
    target: Target = None,
    seed: Annotated[int, option(whole(0), "Of the split and the weights.", _DATA, "n")] = 0,
    memory: Memory = None,
    gpus: Annotated[
        int, option(whole(0), "0 for the CPU, even where there is a GPU.", _LIMITS, "n")
    ] = 1,
    cpus: Cpus = 1,
    scale_lr: Annotated[
        Any,
        choice(
            _SCALINGS,
            "How the learning rate grows with the batch: "
            + "; ".join(f"{rule} as {source}" for rule, source in _SCALINGS.items())
            + ".",
            _LR,
            show_default="not shown",
        ),
    ] = None,
    lr: Annotated[Any, option(real(0), "The learning rate to scale.", _LR, "lr")] = None,
    lr_batch_size: Annotated[
        Any, option(whole(1), "The batch size that it is for.", _LR, "n")
    ] = None,
    output: Annotated[Any, output_folder("batch_size/DATA-MODEL-TIME")] = None,
) -> None:
    """Double the batch until memory or samples run out, and say from where on it gains little."""
    from rich.console import Console

    from pipelines.cli.display import print_plain
    from pipelines.recipe.batch_size_results import LRScaling, lines, save_results
    from pipelines.recipe.subject import find_subject
    from trainables.data.datasets import load
    from trainables.device.share import pick_device, set_threads
    from trainables.device.step_memory import default_bound
    from trainables.networks import NETWORKS
    from trainables.smith.batch_size import run_batch_size_test

    scaling = None
    if scale_lr is not None:
        if lr is None or lr_batch_size is None:
            raise ValueError(f"--scale-lr {scale_lr} needs --lr and --lr-batch-size")
        scaling = LRScaling(scale_lr, lr, lr_batch_size)
    elif lr is not None or lr_batch_size is not None:
        raise ValueError("--lr and --lr-batch-size need --scale-lr linear or sqrt")
    subject = find_subject(
        model=model, data=data, target=target, seed=seed, config=config, run=None
    )
    loaded = load(subject.data, target=subject.target, seed=subject.seed)
    folder = new_output_folder(output, "batch_size", f"{loaded.name}-{subject.model}")
    set_threads(cpus)
    device = pick_device(gpus)
    bound = default_bound(device) if memory is None else memory
    test = run_batch_size_test(
        NETWORKS[subject.model],
        subject.config,
        loaded,
        memory=bound,
        seed=subject.seed,
        device=device,
    )
    save_results(folder, subject, loaded, test, bound, device, scaling)
    console = Console(highlight=False)
    for line in lines(subject, loaded, test, bound, device, scaling, folder):
        print_plain(console, line)


if __name__ == "__main__":
    sys.exit(main(app))
