"""The MLP with and without each of its ingredients, for trainings of a fixed time."""

from __future__ import annotations

from search_spaces import Config

# What each network of the comparison shares: RealMLP's three layers of 256 (Holzmueller et al.
# 2024, arXiv 2407.04491, table A.1), with what MLP_SPACE had before.
PLAIN: Config = {
    "n_layers": 3,
    "width_1": 256,
    "width_2": 256,
    "width_3": 256,
    "activation": "relu",
    "dropout": 0.1,
    "batch_norm": False,
    "optimizer": "adamw",
    "lr": 2e-3,
    "policy": "one_cycle",
    "base_lr_ratio": 0.1,
    "base_momentum": 0.85,
    "max_momentum": 0.95,
    "weight_decay": 1e-2,
    "batch_size": 256,
}

PERIODIC: Config = {"num_embedding": "periodic", "num_embedding_size": 4, "frequency_scale": 1.0}
PIECEWISE: Config = {
    "num_embedding": "piecewise_linear",
    "num_embedding_size": 8,
    "n_bins": 32,
}

CATEGORIES: Config = {"cat_embedding": True}

CONFIGS: dict[str, Config] = {
    "plain": PLAIN,
    "periodic": {**PLAIN, **PERIODIC},
    "piecewise": {**PLAIN, **PIECEWISE},
    "categories": {**PLAIN, **CATEGORIES},
    "periodic, categories": {**PLAIN, **PERIODIC, **CATEGORIES},
    "piecewise, categories": {**PLAIN, **PIECEWISE, **CATEGORIES},
}
