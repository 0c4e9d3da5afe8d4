"""The widest range that makes sense for each hyperparameter: no range may be widened beyond it."""

from search_spaces.mlp import MAX_LAYERS

LIMITS: dict[str, tuple[float, float]] = {
    "n_layers": (1, MAX_LAYERS),
    **{f"width_{i}": (1, 4096) for i in range(1, MAX_LAYERS + 1)},
    "num_embedding_size": (2, 64),
    "n_bins": (1, 1024),
    "frequency_scale": (1e-3, 100.0),
    "n_blocks": (1, 6),  # a sixth block has 256 channels like the fifth, and cannot halve the image
    "channels": (1, 256),
    "dropout": (0.0, 0.9),
    "batch_size": (2, 4096),  # batch normalisation needs two samples
    "lr": (1e-8, 100.0),
    "base_lr_ratio": (1e-4, 1.0),
    "step_size": (1, 50),
    "gamma": (0.1, 1.0),
    "momentum": (0.0, 0.999),
    "base_momentum": (0.0, 0.999),
    "max_momentum": (0.0, 0.999),
    "decay_rate": (0.001, 1.0),
    "n_drops": (1, 10),
    "weight_decay": (0.0, 1.0),
}

# No value of the first parameter may be above a value of the second.
ORDERED = (("base_momentum", "max_momentum"),)
