"""The space of multi-layer perceptrons: how many layers, how wide each, and how to train them."""

from search_spaces.domains import AtLeast, Choice, Config, Domain, Float, Int, OneOf
from search_spaces.policies import policy_domains
from search_spaces.space import SearchSpace
from trainables.training.optimizers import OPTIMIZERS

MAX_LAYERS = 5

# constant first: of all policies alone it found most in few trials of 30 epochs. A grid takes them
# in this order, so that the first few are of different kinds.
_POLICIES = (
    "constant",
    "one_cycle",
    "cosine",
    "triangular",
    "step",
    "triangular2",
    "exp_range",
)

# Of a table's inputs: what an MLP for images has none of. The bounds are those of Gorishniy et al.
# 2022 (arXiv 2203.05556, appendix), and of RealMLP (Holzmueller et al. 2024, arXiv 2407.04491)
# where they reach further down.
TABLE_INPUTS: dict[str, Domain] = {
    "num_embedding": Choice(("none", "piecewise_linear", "periodic")),
    "num_embedding_size": Int(
        4, 16, log=True, when=OneOf("num_embedding", ("piecewise_linear", "periodic"))
    ),
    "n_bins": Int(8, 128, log=True, when=OneOf("num_embedding", ("piecewise_linear",))),
    "frequency_scale": Float(0.05, 10.0, log=True, when=OneOf("num_embedding", ("periodic",))),
    "cat_embedding": Choice((False, True)),
}

THREE_LAYERS: Config = {
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

MLP_SPACE = SearchSpace(
    {
        "n_layers": Int(1, MAX_LAYERS),
        **{
            f"width_{i}": Int(8, 512, log=True, when=AtLeast("n_layers", i))
            for i in range(1, MAX_LAYERS + 1)
        },
        **TABLE_INPUTS,
        "activation": Choice(("relu", "gelu", "silu", "tanh")),
        "dropout": Float(0.0, 0.5),
        "batch_norm": Choice((True, False)),
        "optimizer": Choice(tuple(OPTIMIZERS)),
        "lr": Float(1e-4, 1.0, log=True),
        **policy_domains(_POLICIES),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "batch_size": Choice((32, 64, 128, 256)),
    },
    grid_levels={"n_layers": 3, "lr": 6, "batch_norm": 2},
    if_missing={"num_embedding": "none", "cat_embedding": False},
    try_first=(
        {  # LeNet-300-100 (LeCun et al. 1998), with AdamW at its authors' learning rate and decay
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
        },
        {  # the tabular MLP of Gorishniy et al. (2021), in SGD's terms of He et al. (2016)
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
        },
        # RealMLP's three layers of 256 (Holzmueller et al. 2024, table A.1) with the embedding of
        # numbers of TabM (Gorishniy et al. 2025), and with its own: what did best on the large
        # tables of benchmarks/panel.py.
        {
            **THREE_LAYERS,
            "num_embedding": "piecewise_linear",
            "num_embedding_size": 8,
            "n_bins": 32,
            "cat_embedding": True,
        },
        {
            **THREE_LAYERS,
            "num_embedding": "periodic",
            "num_embedding_size": 4,
            "frequency_scale": 1.0,
            "cat_embedding": False,
        },
    ),
)
