"""The space of multi-layer perceptrons: how many layers, how wide each, and how to train them."""

from search_spaces.domains import AtLeast, Choice, Domain, Float, Int, OneOf
from search_spaces.policies import policy_domains
from search_spaces.portfolio import MLP_PORTFOLIO
from search_spaces.space import SearchSpace
from trainables.training.optimizers import OPTIMIZERS

MAX_LAYERS = 5

# constant comes first: of all policies on their own, it found the best configs in few trials of 30
# epochs. A grid takes the policies in this order, so the first few are of different kinds.
_POLICIES = (
    "constant",
    "one_cycle",
    "cosine",
    "triangular",
    "step",
    "triangular2",
    "exp_range",
)

# Parameters for the inputs of a table; an MLP for images does not use them. The bounds are those of
# Gorishniy et al. 2022 (arXiv 2203.05556, appendix), or those of RealMLP (Holzmueller et al. 2024,
# arXiv 2407.04491) where these reach further down.
TABLE_INPUTS: dict[str, Domain] = {
    "num_embedding": Choice(("none", "piecewise_linear", "periodic")),
    "num_embedding_size": Int(
        4, 16, log=True, when=OneOf("num_embedding", ("piecewise_linear", "periodic"))
    ),
    "n_bins": Int(8, 128, log=True, when=OneOf("num_embedding", ("piecewise_linear",))),
    "frequency_scale": Float(0.05, 10.0, log=True, when=OneOf("num_embedding", ("periodic",))),
    "cat_embedding": Choice((False, True)),
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
    try_first=MLP_PORTFOLIO,
)
