"""The MLP with and without each of its ingredients, for trainings of a fixed time."""

from __future__ import annotations

from search_spaces import Config
from search_spaces.portfolio import THREE_LAYERS

# What each network of the comparison shares: RealMLP's three layers of 256 (Holzmueller et al.
# 2024, arXiv 2407.04491, table A.1), with what MLP_SPACE had before.
PLAIN: Config = THREE_LAYERS

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
