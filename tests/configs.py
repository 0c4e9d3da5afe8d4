"""Two configs of an MLP that tests train and draw."""

from search_spaces import Config

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
