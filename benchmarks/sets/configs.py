"""Configs with and without each of a network's ingredients, and configs of the literature."""

from __future__ import annotations

from search_spaces import Config
from search_spaces.portfolio import ONE_CYCLE, THREE_LAYERS

# What all networks of the comparison share: RealMLP's three layers of 256 (Holzmueller et al. 2024,
# arXiv 2407.04491, table A.1), without embeddings.
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

# LeNet-300-100 (LeCun et al. 1998), with AdamW at its authors' learning rate and decay.
LENET: Config = {
    "n_layers": 2,
    "width_1": 300,
    "width_2": 100,
    "num_embedding": "none",
    "cat_embedding": False,
    "activation": "relu",
    "dropout": 0.0,
    "batch_norm": False,
    "optimizer": "adamw",
    "lr": 1e-3,
    "policy": "constant",
    "momentum": 0.9,
    "weight_decay": 1e-2,
    "batch_size": 128,
}

# The tabular MLP of Gorishniy et al. (2021), trained by SGD as in He et al. (2016).
STEPPED: Config = {
    "n_layers": 3,
    "width_1": 256,
    "width_2": 256,
    "width_3": 256,
    "num_embedding": "none",
    "cat_embedding": False,
    "activation": "relu",
    "dropout": 0.1,
    "batch_norm": True,
    "optimizer": "sgd",
    "lr": 0.1,
    "policy": "step",
    "momentum": 0.9,
    "decay_rate": 0.1,
    "n_drops": 2,
    "weight_decay": 1e-4,
    "batch_size": 128,
}

# The one-cycle policy with half as many channels, which leaves time for more epochs.
NARROW: Config = {**ONE_CYCLE, "channels": 16}

CNN_CONFIGS: dict[str, Config] = {
    "plain": NARROW,
    "residual": {**NARROW, "residual": True},
    "shift": {**NARROW, "augmentation": "shift"},
    "flip, shift": {**NARROW, "augmentation": "flip_shift"},
    "smoothing": {**NARROW, "label_smoothing": 0.1},
    "residual, shift, smoothing": {
        **NARROW,
        "residual": True,
        "augmentation": "shift",
        "label_smoothing": 0.1,
    },
}

# He et al. 2016 (arXiv 1512.03385, section 4.2).
RESNET: Config = {
    "n_blocks": 3,
    "channels": 16,
    "kernel_size": 3,
    "residual": True,
    "augmentation": "flip_shift",
    "label_smoothing": 0.0,
    "dropout": 0.0,
    "batch_size": 128,
    "lr": 0.1,
    "policy": "step",
    "momentum": 0.9,
    "decay_rate": 0.1,
    "n_drops": 2,
    "weight_decay": 1e-4,
}

# Smith 2017 (arXiv 1506.01186, sections 3.2 and 3.3): base_lr is a quarter of max_lr, a step has
# four epochs, and the amplitude is halved after each cycle.
CYCLES: Config = {
    **ONE_CYCLE,
    "policy": "triangular2",
    "base_lr_ratio": 0.25,
    "step_size": 4,
}

# The configs that a portfolio is chosen from, besides those that searches find.
LITERATURE: dict[str, tuple[Config, ...]] = {
    "mlp": (
        LENET,
        STEPPED,
        CONFIGS["piecewise, categories"],
        {**CONFIGS["periodic"], "cat_embedding": False},
    ),
    "cnn": (
        ONE_CYCLE,
        {**ONE_CYCLE, "label_smoothing": 0.1},
        CNN_CONFIGS["smoothing"],
        CNN_CONFIGS["residual, shift, smoothing"],
        RESNET,
        CYCLES,
    ),
}
