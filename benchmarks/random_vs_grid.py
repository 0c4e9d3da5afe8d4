"""Random search with 8 trials against a grid of 100 (Bergstra and Bengio 2012, section 2).

    python -m benchmarks.random_vs_grid

Trains the whole grid and as many random configs of the same space, without early stopping and
without Ray. From the random trials it draws experiments of 1, 2, 4, ... trials, as the paper does
(section 2.2), and compares the best validation accuracy of each experiment with that of the grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated

import cyclopts
import numpy as np
import torch
from cyclopts import Parameter

from pipelines.tuner.sampling.samplers import random_configs
from search_spaces import SPACES, Config
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS

# A usual grid of 100: five learning rates and five dropout rates, two depths and two weight decays,
# and one value for everything else: the middle of a range, or the first option.
LEVELS = {"n_layers": 2, "lr": 5, "dropout": 5, "weight_decay": 2, "batch_norm": 1}
EXPERIMENTS = 10_000  # random experiments of each size


def best_accuracy(config: Config, data: TrialData, max_epochs: int) -> float:
    """The best validation accuracy of a training; 0 if it diverges."""
    epochs = NETWORKS["mlp"](
        config, data, max_epochs=max_epochs, seed=0, device=torch.device("cpu")
    )
    metrics = [metrics for metrics, _ in epochs]
    return 0.0 if metrics[-1]["diverged"] else max(m["val_accuracy"] for m in metrics)


def accuracies(configs: Iterable[Config], data: TrialData, max_epochs: int) -> np.ndarray:
    return np.array([best_accuracy(config, data, max_epochs) for config in configs])


def experiments(scores: np.ndarray, size: int) -> np.ndarray:
    """The best score of each of many experiments of ``size`` trials, drawn without repetition."""
    rng = np.random.default_rng(size)
    order = rng.random((EXPERIMENTS, len(scores))).argsort(axis=1)[:, :size]
    best: np.ndarray = scores[order].max(axis=1)
    return best


def main(
    data: Annotated[list[str] | None, Parameter(help="digits, breast_cancer, wine.")] = None,
    max_epochs: Annotated[int, Parameter(help="Epochs of each training.")] = 15,
) -> None:
    """Print the grid's best, and for each size the mean best and the share that match the grid."""
    torch.set_num_threads(1)
    space = SPACES["mlp"]
    n_grid = space.grid_size(LEVELS)
    for name in data or ["digits", "breast_cancer", "wine"]:
        loaded = load(name)
        grid = accuracies(space.grid(LEVELS), loaded, max_epochs)
        random = accuracies(
            itertools.islice(random_configs(space, seed=0), n_grid), loaded, max_epochs
        )
        print(f"{name}: grid of {n_grid}, best val_accuracy {grid.max():.4f}", flush=True)
        for size in (1, 2, 4, 8, 16, 32, 64):
            best = experiments(random, size)
            matched = (best >= grid.max()).mean()
            print(f"  random {size:>2}  best {best.mean():.4f}  matches the grid {matched:.0%}")


if __name__ == "__main__":
    cyclopts.run(main)
