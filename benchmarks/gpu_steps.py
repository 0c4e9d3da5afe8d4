"""What a training step costs on a GPU: launched kernel by kernel, as a CUDA graph, and in bfloat16.

    python -m benchmarks.gpu_steps

The data are images of the size of CIFAR-10's and rows of 30 columns. Their values are random,
because the time does not depend on them. The sides take turns to train an epoch. The milliseconds
are those of a step, including its share of the validation. Without a GPU nothing is measured,
unless ``--trainings`` is given: then these trainings run on the CPU, where all sides are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
from cyclopts import Parameter, run
from torch import Tensor

from benchmarks.harness import in_turns, middle, table
from benchmarks.sets.configs import LENET
from pipelines.recipe.saving import device_name
from search_spaces import Config
from search_spaces.portfolio import MLP_PORTFOLIO, ONE_CYCLE
from trainables.data.datasets import TrialData, load
from trainables.device.share import pick_device
from trainables.networks import NETWORKS
from trainables.networks.network import Precision
from trainables.training import fit, passes
from trainables.training.batches import batch_bounds
from trainables.training.inputs import Inputs

RESIDUAL: Config = {**ONE_CYCLE, "residual": True, "augmentation": "flip_shift", "n_blocks": 4}
TRAININGS: Mapping[str, tuple[str, Config]] = {
    "CNN, 3 blocks from 16 channels, batch 128": ("cnn", {**ONE_CYCLE, "channels": 16}),
    "CNN, 3 blocks from 32 channels, batch 128": ("cnn", ONE_CYCLE),
    "CNN, 4 residual blocks from 64 channels, batch 64": (
        "cnn",
        {**RESIDUAL, "channels": 64, "batch_size": 64},
    ),
    "CNN, the same, kernels of 5 x 5, batch 256": (
        "cnn",
        {**RESIDUAL, "channels": 64, "kernel_size": 5, "batch_size": 256},
    ),
    "MLP 300-100, batch 128": ("mlp", LENET),
    "MLP 256-256-256, piecewise linear, batch 256": ("mlp", MLP_PORTFOLIO[0]),
    "MLP 256-256-256, periodic, batch 256": ("mlp", MLP_PORTFOLIO[1]),
}
SIDES: Mapping[str, tuple[bool, Precision]] = {  # with a CUDA graph or not
    "kernel by kernel": (False, "fp32"),
    "graph": (True, "fp32"),
    "graph, bf16": (True, "bf16"),
}


def images(n: int) -> TrialData:
    """Random images of 32 x 32 pixels with three channels, in ten classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3, 32, 32)).astype(np.float32)
    y = rng.integers(0, 10, n)
    cut = n // 5
    return replace(load("digits"), x_train=x[cut:], y_train=y[cut:], x_val=x[:cut], y_val=y[:cut])


def rows(n: int) -> TrialData:
    """Random rows of 30 columns, with a number to predict."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 30)).astype(np.float32)
    y = x[:, 0] + np.sin(3 * x[:, 1])
    cut = n // 5
    return replace(load("diabetes"), x_train=x[cut:], y_train=y[cut:], x_val=x[:cut], y_val=y[:cut])


def plain(
    model: torch.nn.Module, loss: passes.Loss, x: Inputs, y: Tensor, *, batch_size: int, bf16: bool
) -> passes.Passes:
    """Takes the place of ``make_passes``, and uses no graph."""
    return passes.Passes(model, loss, x, y, bf16)


def epoch(training: Any) -> float:
    """Trains an epoch; returns its seconds."""
    seconds: float = next(training)[0]["seconds"]
    return seconds


def begin(training: tuple[str, Config], side: tuple[bool, Precision], data: TrialData) -> Any:
    """A training whose first epoch, in which CUDA sets itself up, is over."""
    (name, config), (graphed, precision) = training, side
    network = replace(NETWORKS[name], precision=precision)
    with mock.patch.object(fit, "make_passes", passes.make_passes if graphed else plain):
        begun = network(config, data, max_epochs=100, seed=0, device=pick_device(1))
    next(begun)
    return begun


def main(
    *,
    samples: Annotated[int, Parameter(help="Images; a table has twice as many rows.")] = 25_000,
    rounds: Annotated[int, Parameter(help="Epochs of each side.")] = 3,
    trainings: Annotated[tuple[int, ...], Parameter(help="Places, from 0; by default all.")] = (),
) -> None:
    """Print milliseconds per step: an epoch with its validation, divided by its steps."""
    device = pick_device(1)
    if device.type == "cpu" and not trainings:
        print("no GPU here: nothing is measured", file=sys.stderr)
        return
    print(device_name(device), f"torch {torch.__version__}")
    data = {"cnn": images(samples), "mlp": rows(2 * samples)}
    found = []
    for place, (what, training) in enumerate(TRAININGS.items()):
        if trainings and place not in trainings:
            continue
        name, config = training
        steps = len(batch_bounds(len(data[name].x_train), int(config["batch_size"])))
        begun = {side: begin(training, how, data[name]) for side, how in SIDES.items()}
        seconds = in_turns(rounds, {s: lambda _, b=b: epoch(b) for s, b in begun.items()})  # type: ignore[misc]
        ms = {side: [1000 * s / steps for s in each] for side, each in seconds.items()}
        first = median(ms["kernel by kernel"])
        gains = [f"{first / median(ms[side]):.1f}" for side in list(SIDES)[1:]]
        found.append([what, *(middle(each) for each in ms.values()), *gains])
    header = ["training", *(f"{side}, ms" for side in SIDES), "graph, times", "with bf16, times"]
    print(table(header, found))


if __name__ == "__main__":
    sys.exit(run(main))
