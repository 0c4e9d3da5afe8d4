"""Super-convergence: one_cycle in a third of the epochs against a constant learning rate in all.

    python -m benchmarks.clr

Smith 2018 (arXiv 1803.09820, section 5) reaches a better accuracy with one cycle, in fewer epochs,
than with a constant or a falling learning rate. Here one CNN is trained with four policies, each
for all epochs and for a third of them. For every policy and length, the best of the same few
learning rates is chosen first, by the final validation accuracy of a training (or of several:
``--searches``) with a seed that is not measured. Then the CNN is trained with other seeds. The test
data are looked at once, at the end of each of these trainings.

The data are ``digits``, which takes minutes, and a tenth of MNIST if its files are in the cache
folder, which takes an hour.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from typing import Annotated

import torch
from cyclopts import Parameter
from cyclopts.validators import Number
from torch import nn

from benchmarks.harness import spread
from pipelines.cli.command import command
from pipelines.cli.command import main as run
from search_spaces import Config
from trainables.data.datasets import TestData, TrialData, describe, load, load_test
from trainables.data.published import is_cached
from trainables.networks import NETWORKS
from trainables.training.batches import EVALUATION_BATCH, to_tensor

POLICIES = ("constant", "step", "triangular2", "one_cycle")
LRS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SEARCH_SEED = 1000  # this seed and the next ones are not measured
CYCLES = 3  # whole cycles of triangular2, as Smith 2015 advises (arXiv 1506.01186, section 3.2)
NETWORK: dict[str, float | str] = {"n_blocks": 3, "channels": 16, "weight_decay": 1e-4}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Setting:
    """How the CNN is trained on a data set."""

    epochs: int
    accuracy: float  # on validation; the epochs to reach it are counted
    fraction: float = 1.0  # of the train split


SETTINGS = {
    "digits": Setting(epochs=30, accuracy=0.98),
    "mnist": Setting(epochs=12, accuracy=0.99, fraction=0.1),
}


@dataclass(frozen=True)
class Trained:
    """One training; after it has diverged, its validation accuracy is 0."""

    curve: tuple[float, ...]  # validation accuracy after each epoch
    val_loss: float  # at the end
    model: nn.Module | None  # None if it diverged

    def epochs_to(self, accuracy: float) -> int | None:
        """The first epoch with at least ``accuracy``, or None if there is none."""
        return next((n for n, value in enumerate(self.curve, 1) if value >= accuracy), None)


@dataclass(frozen=True)
class Measured:
    """A policy at one length: its learning rate, and a training for each seed."""

    policy: str
    epochs: int
    lr: float
    trained: tuple[Trained, ...]
    test: tuple[float, ...]  # accuracy at the end of each

    def row(self, accuracy: float) -> str:
        reached = [n for one in self.trained if (n := one.epochs_to(accuracy)) is not None]
        at_edge = "*" if self.lr in (LRS[0], LRS[-1]) else " "
        return (
            f"{self.policy:<12} {self.epochs:>6} {self.lr:>6g}{at_edge}  "
            f"{spread([one.curve[-1] for one in self.trained]):<18}  {spread(self.test):<18}  "
            + (f"{spread(reached, 1)}, " if reached else "")
            + f"{len(reached)} of {len(self.trained)}"
        )


def train(config: Config, data: TrialData, epochs: int, seed: int) -> Trained:
    training = NETWORKS["cnn"](config, data, max_epochs=epochs, seed=seed, device=CPU)
    curve, val_loss, trained = [], 0.0, None
    for metrics, model in training:
        curve.append(0.0 if metrics["diverged"] else float(metrics["val_accuracy"]))
        val_loss = float(metrics["val_loss"])
        trained = None if metrics["diverged"] else model
    return Trained((*curve, *[0.0] * (epochs - len(curve))), val_loss, trained)


@torch.no_grad()
def accuracy_of(model: nn.Module | None, test: TestData) -> float:
    if model is None:
        return 0.0
    model.eval()
    outputs = [model(x) for x in torch.split(to_tensor(test.x, CPU), EVALUATION_BATCH)]
    right = torch.cat(outputs).argmax(1) == to_tensor(test.y, CPU)
    return float(right.double().mean())


def measure(
    policy: str,
    epochs: int,
    batch_size: int,
    data: TrialData,
    test: TestData,
    seeds: int,
    searches: int = 1,
) -> Measured:
    """Train with a policy and its best learning rate; all policies choose among the same rates."""
    step_size = epochs / (2 * CYCLES)
    config = {**NETWORK, "policy": policy, "batch_size": batch_size, "step_size": step_size}

    def quality(lr: float) -> tuple[float, float]:
        seeds = range(SEARCH_SEED, SEARCH_SEED + searches)
        tried = [train({**config, "lr": lr}, data, epochs, seed) for seed in seeds]
        return sum(one.curve[-1] for one in tried), -sum(one.val_loss for one in tried)

    lr = max(LRS, key=quality)
    trained = [train({**config, "lr": lr}, data, epochs, seed) for seed in range(seeds)]
    tested = [accuracy_of(one.model, test) for one in trained]
    return Measured(policy, epochs, lr, tuple(trained), tuple(tested))


def verdict(short: Measured, full: Measured) -> str:
    """Whether ``short`` reaches the test accuracy of ``full``, with the standard error."""
    difference = statistics.fmean(short.test) - statistics.fmean(full.test)
    variances = [statistics.variance(one.test) / len(one.test) for one in (short, full)]
    error = sum(variances) ** 0.5
    if difference >= 0:
        word = "reached"
    else:
        word = "missed by no more than noise" if difference > -2 * error else "missed"
    return (
        f"{short.policy} in {short.epochs} epochs, {full.policy} in {full.epochs}: "
        f"{difference:+.4f} +- {error:.4f}: {word}"
    )


def main(
    *,
    data: Annotated[
        tuple[str, ...],
        Parameter(help="digits, and mnist where it is cached.", choices=list(SETTINGS)),
    ] = (),
    epochs: Annotated[
        int | None,
        Parameter(help="Epochs of a whole training; 30, or 12 for MNIST.", validator=Number(gte=3)),
    ] = None,
    batch_size: Annotated[int, Parameter(help="Batch size of all trainings.")] = 64,
    seeds: Annotated[
        int, Parameter(help="Trainings of each kind; a verdict needs two.", validator=Number(gte=2))
    ] = 5,
    searches: Annotated[int, Parameter(help="Trainings by which a learning rate is judged.")] = 1,
) -> None:
    """Print final accuracies, epochs to an accuracy, mean +- standard deviation, and verdicts."""
    torch.set_num_threads(1)
    cached = {name: name == "digits" or is_cached(name) for name in SETTINGS}
    for name in data or [name for name in SETTINGS if cached[name]]:
        setting = SETTINGS[name]
        whole = epochs or setting.epochs
        loaded, test = load(name, fraction=setting.fraction), load_test(name)
        print(f"{describe(loaded)}; {len(test.y)} test, {seeds} seeds, batches of {batch_size}")
        print(
            f"{'policy':<12} epochs     lr  {'validation':<18}  {'test':<18}  "
            f"epochs to {setting.accuracy:g} validation"
        )
        rows: dict[tuple[str, int], Measured] = {}
        for length in (whole, whole // 3):
            for policy in POLICIES:
                row = measure(policy, length, batch_size, loaded, test, seeds, searches)
                rows[policy, length] = row
                print(row.row(setting.accuracy), flush=True)
        for policy in POLICIES:
            print(verdict(rows[policy, whole // 3], rows["constant", whole]))
    if not data and not all(cached.values()):
        print("no mnist: its files are not in the cache folder")


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
