"""Does the range that an LR range test suggests to a search hold a good learning rate?

    python -m benchmarks.lr_bounds --data breast_cancer --epochs 30 --seeds 3

An MLP has configs of the literature with each optimiser; a CNN has the first config that its search
tries. Each has short trainings at 13 constant learning rates. A rate is good if its best validation
loss of any epoch is close to the lowest of all rates. The good rates are compared with the ranges
that the test suggests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import torch
from cyclopts import Parameter, run

from benchmarks.harness import table
from benchmarks.sets.configs import LENET, STEPPED
from search_spaces import SPACES
from search_spaces.policies import policy_domains
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.smith.lr_range_test import RangeTest, bounds_to_search, run_range_test
from trainables.training.optimizers import OPTIMIZERS

RATES = [float(rate) for rate in 10 ** np.arange(-5, 1.01, 0.5)]
GOOD, GOOD_LEAST = 1.05, 0.005  # a good loss is at most GOOD times the best plus GOOD_LEAST
NEAR = 1.15  # a range also holds a rate within this factor of its ends
CPU = torch.device("cpu")


def settings(model: str) -> Iterator[dict[str, Any]]:
    for config in (LENET, STEPPED) if model == "mlp" else SPACES[model].try_first[:1]:
        kept = {name: value for name, value in config.items() if name not in policy_domains()}
        for optimizer in OPTIMIZERS if "optimizer" in SPACES[model].domains else (None,):
            chosen = {} if optimizer is None else {"optimizer": optimizer}
            yield {"momentum": 0.9, **kept, **chosen, "policy": "constant"}


def loss_of(model: str, config: dict[str, Any], data: TrialData, epochs: int, seeds: int) -> float:
    return float(
        np.mean(
            [
                min(
                    float(metrics["val_loss"])
                    for metrics, _ in NETWORKS[model](
                        config, data, max_epochs=epochs, seed=seed, device=CPU
                    )
                )
                for seed in range(seeds)
            ]
        )
    )


def main(
    data: Annotated[str, Parameter(help="As `--data` of run.py.")] = "breast_cancer",
    target: Annotated[str | None, Parameter(help="The column to predict, of a table.")] = None,
    model: Annotated[str, Parameter(help="mlp or cnn.")] = "mlp",
    epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 30,
    seeds: Annotated[int, Parameter(help="Seeds of the trainings, and of the test.")] = 3,
) -> None:
    """Print a row for each setting and seed, and how many of the tests hold a good rate."""
    torch.set_num_threads(1)
    loaded = load(data, target=target)
    rows, held = [], np.zeros(3, int)
    for number, config in enumerate(settings(model)):
        losses = {lr: loss_of(model, {**config, "lr": lr}, loaded, epochs, seeds) for lr in RATES}
        best = min(losses.values())
        good = [lr for lr, loss in losses.items() if loss <= GOOD * best + GOOD_LEAST]
        for seed in range(seeds):

            def test(seed: int, config: Mapping[str, Any] = config) -> RangeTest:
                tested = {**config, "lr": 1.0}
                return run_range_test(NETWORKS[model], tested, loaded, seed=seed, device=CPU)

            _, bounds = bounds_to_search(test, seed)
            low, high = bounds.to_search
            for place, end in enumerate((bounds.max_lr, bounds.lowest_lr, high)):
                held[place] += any(low / NEAR <= lr <= end * NEAR for lr in good)
            told = f"{config.get('optimizer', '')} {number}"
            rates = ", ".join(f"{lr:.2g}" for lr in good)
            rows.append([told, f"{best:.4f}", rates, f"{low:.2g} .. {high:.2g}", bounds.curve])
    print(table(["setting", "best loss", "good rates", "range", "read off"], rows))
    print(f"a good rate lies between base_lr and max_lr in {held[0]} of {len(rows)} tests,")
    print(f"up to the lowest loss in {held[1]}, up to the highest rate to search in {held[2]}")


if __name__ == "__main__":
    run(main)
