"""ASHA's rungs at ends of cycles against rungs at fixed epochs.

    python -m benchmarks.aligned_rungs

Random CNNs with cyclical policies are trained on an embedded data set for all their epochs. Those
with one_cycle are trained twice: with one cycle over the whole training, and with one cycle up to
each rung. The curves are then fed to ``asha`` and to ``aligned_asha``, which waits for ends of
cycles, in many random orders of arrival. A trial that the scheduler lets train to the end is kept;
its quality is the best accuracy of its whole training. There is no Ray cluster, and no early
stopping during training.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import cyclopts
import numpy as np
import torch
from cyclopts import Parameter
from ray.tune.schedulers import TrialScheduler

from pipelines.tuner.sampling.samplers import random_configs
from pipelines.tuner.scheduling.schedulers import SCHEDULERS, StoppingRules, rungs
from search_spaces import SPACES, Choice, Config
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS

POLICIES = ("one_cycle", "triangular", "triangular2", "exp_range")
Curve = list[float]


@dataclass(frozen=True)
class Fed:
    """The attributes of a trial that ASHA reads."""

    trial_id: str
    config: Config = field(compare=False, hash=False)


def curve(config: Config, data: TrialData, max_epochs: int, ends: tuple[int, ...]) -> Curve:
    network = replace(NETWORKS["cnn"], cycle_ends=lambda max_epochs: ends)
    epochs = network(config, data, max_epochs=max_epochs, seed=0, device=torch.device("cpu"))
    values = [float(metrics["val_accuracy"]) for metrics, _ in epochs]
    return values + [0.0] * (max_epochs - len(values))  # 0 after a training has diverged


def kept(
    name: str, rules: StoppingRules, trials: list[tuple[Config, Curve]]
) -> tuple[list[int], int]:
    """The trials that train to the end, and the epochs spent, with two trials at a time."""
    scheduler: Any = SCHEDULERS[name].make(rules)
    waiting = list(enumerate(trials))[::-1]
    running: list[tuple[int, Fed, Curve, int]] = []
    ended, spent = [], 0
    while waiting or running:
        while waiting and len(running) < 2:
            n, (config, values) = waiting.pop()
            fed = Fed(str(n), config)
            scheduler.on_trial_add(None, fed)
            running.append((n, fed, values, 1))
        n, fed, values, epoch = running.pop(0)
        spent += 1
        result = {"epoch": epoch, rules.metric: values[epoch - 1]}
        decision = scheduler.on_trial_result(None, fed, result)
        if epoch == rules.max_epochs:
            ended.append(n)
        elif decision == TrialScheduler.CONTINUE:
            running.append((n, fed, values, epoch + 1))
    return ended, spent


def main(
    data: Annotated[str, Parameter(help="An embedded data set.")] = "digits",
    configs: Annotated[int, Parameter(help="Number of random CNNs.")] = 36,
    max_epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 18,
    orders: Annotated[int, Parameter(help="Random orders of arrival.")] = 200,
) -> None:
    """Print, for each way, the quality of what is kept, the best, and the epochs spent."""
    torch.set_num_threads(1)
    space = SPACES["cnn"].replace(
        {"policy": Choice(POLICIES), "channels": Choice((8, 16)), "batch_size": Choice((64, 128))}
    )
    rules = StoppingRules("val_accuracy", "max", max_epochs)
    loaded, draws = load(data), random_configs(space, seed=0)
    drawn = [next(draws) for _ in range(configs)]
    plain = [curve(config, loaded, max_epochs, ()) for config in drawn]
    ends = rungs(max_epochs, rules.grace_period, rules.reduction_factor)
    chained = [
        curve(config, loaded, max_epochs, ends) if config["policy"] == "one_cycle" else line
        for config, line in zip(drawn, plain, strict=True)
    ]
    print(f"{configs} configs, best of all: {max(map(max, plain)):.4f} plain, ", end="")
    print(f"{max(map(max, chained)):.4f} with chained cycles")
    for label, name, curves in (
        ("fixed epochs", "asha", plain),
        ("ends of cycles", "aligned_asha", chained),
        ("ends of cycles, one cycle whole", "aligned_asha", plain),
    ):
        quality, best, spent = [], [], []
        for order in range(orders):
            permutation = np.random.default_rng(order).permutation(configs)
            ended, epochs = kept(name, rules, [(drawn[i], curves[i]) for i in permutation])
            values = [max(curves[permutation[n]]) for n in ended]
            quality.append(statistics.fmean(values))
            best.append(max(values))
            spent.append(epochs)
        print(
            f"{label:<32} kept {statistics.fmean(quality):.4f}  best {statistics.fmean(best):.4f}  "
            f"epochs {statistics.fmean(spent):.0f}"
        )


if __name__ == "__main__":
    cyclopts.run(main)
