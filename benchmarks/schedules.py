"""What a schedule costs a training.

    python -m benchmarks.schedules

Trains a small MLP, whose optimiser steps are short, on an embedded data set with each policy in a
random order, for many rounds. The trainings are short, so that other programs on the machine slow a
round as a whole. The ratio of a policy is its CPU time divided by that of the constant learning
rate in the same round. A second training with a constant learning rate shows how far the ratio is
from 1 if nothing differs. The schedule function and setting its rates on the optimiser are also
timed alone; a constant learning rate needs these as well.
"""

from __future__ import annotations

import time
from typing import Annotated

import cyclopts
import numpy as np
import torch
from cyclopts import Parameter

from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.training.batches import batch_bounds
from trainables.training.optimizers import make_optimizer, set_rates
from trainables.training.schedules import POLICIES, make_schedule

CONSTANT = "constant"
BATCH_SIZE = 32
NETWORK = {"n_layers": 2, "width_1": 64, "width_2": 64, "lr": 0.01, "batch_size": BATCH_SIZE}


def steps_per_epoch(data: TrialData) -> int:
    return len(batch_bounds(len(data.x_train), BATCH_SIZE))


def training_seconds(policy: str, data: TrialData, epochs: int) -> float:
    """CPU time per step of a training, including its share of the validation."""
    config = {**NETWORK, "policy": policy}
    training = NETWORKS["mlp"](config, data, max_epochs=epochs, seed=0, device=torch.device("cpu"))
    started = time.process_time()
    done = [metrics["diverged"] for metrics, _ in training]
    seconds = time.process_time() - started
    assert done == [False] * epochs
    return seconds / (epochs * steps_per_epoch(data))


def schedule_seconds(policy: str, data: TrialData, epochs: int) -> float:
    """CPU time per step of the schedule function and :func:`set_rates` alone."""
    config, model = NETWORKS["mlp"].build({**NETWORK, "policy": policy}, data)
    optimizer = make_optimizer(model, config)
    steps = epochs * steps_per_epoch(data)
    schedule = make_schedule(config, steps_per_epoch(data), steps)
    started = time.process_time()
    for step in range(steps):
        set_rates(optimizer, *schedule(step))
    return (time.process_time() - started) / steps


def main(
    data: Annotated[str, Parameter(help="An embedded data set.")] = "digits",
    rounds: Annotated[int, Parameter(help="Trainings with each policy.")] = 201,
    epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 2,
) -> None:
    """Print, for each policy, the ratio with its quartiles, and microseconds a step."""
    torch.set_num_threads(1)
    loaded = load(data)
    policies = (CONSTANT, CONSTANT, *(policy for policy in POLICIES if policy != CONSTANT))
    training_seconds(CONSTANT, loaded, epochs)  # the first calls of torch are slow
    seconds = np.empty((rounds, len(policies)))
    alone = np.empty((rounds, len(policies)))
    rng = np.random.default_rng(0)
    for n in range(rounds):
        for i in rng.permutation(len(policies)):
            seconds[n, i] = training_seconds(policies[i], loaded, epochs)
            alone[n, i] = schedule_seconds(policies[i], loaded, epochs)
    print(f"{1e6 * np.median(seconds[:, 0]):.1f} us a step of {CONSTANT}")
    print(f"{'policy':<14} {'ratio':>7}  {'quartiles':<16} us alone")
    for i, policy in enumerate(policies[1:], 1):
        low, middle, high = np.quantile(seconds[:, i] / seconds[:, 0], (0.25, 0.5, 0.75))
        name = "constant again" if policy == CONSTANT else policy
        cost = 1e6 * np.median(alone[:, i])
        print(f"{name:<14} {middle:>7.4f}  {low:.4f} to {high:.4f} {cost:>8.2f}")


if __name__ == "__main__":
    cyclopts.run(main)
