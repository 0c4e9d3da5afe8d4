"""The space of multi-layer perceptrons: how many layers, how wide each, and how to train them."""

from search_spaces.domains import AtLeast, Choice, Float, Int
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

MLP_SPACE = SearchSpace(
    {
        "n_layers": Int(1, MAX_LAYERS),
        **{
            f"width_{i}": Int(8, 512, log=True, when=AtLeast("n_layers", i))
            for i in range(1, MAX_LAYERS + 1)
        },
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
    try_first=(
        {  # LeNet-300-100 (LeCun et al. 1998), with AdamW at its authors' learning rate and decay
            "n_layers": 2,
            "width_1": 300,
            "width_2": 100,
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
    ),
)
