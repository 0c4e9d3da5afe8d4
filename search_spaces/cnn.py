"""The space of convolutional networks trained with cyclical learning rates.

The policies and their bands are Smith's: arXiv 1506.01186 (section 3) and 1803.09820 (section 4);
weight decay takes the values that the latter tries (section 4.4).
"""

from search_spaces.domains import Choice, Float, Int, OneOf
from search_spaces.space import SearchSpace

_CYCLES = ("triangular", "triangular2", "exp_range")
_BAND = (*_CYCLES, "one_cycle")

CNN_SPACE = SearchSpace(
    {
        "n_blocks": Int(1, 4),
        "channels": Choice((16, 8, 32, 64)),
        "kernel_size": Choice((3, 5)),
        "dropout": Float(0.0, 0.5),
        "batch_size": Choice((64, 32, 128, 256)),
        "lr": Float(1e-3, 1.0, log=True),  # max_lr where the policy moves it
        "policy": Choice(("one_cycle", "triangular", "triangular2", "exp_range", "constant")),
        "base_lr_ratio": Float(0.01, 0.5, log=True, when=OneOf("policy", _BAND)),
        "step_size": Int(1, 5, when=OneOf("policy", _CYCLES)),  # half a cycle, in epochs
        "gamma": Float(0.8, 0.99, when=OneOf("policy", ("exp_range",))),
        "base_momentum": Float(0.8, 0.9, when=OneOf("policy", _BAND)),
        "max_momentum": Float(0.9, 0.99, when=OneOf("policy", _BAND)),
        "momentum": Float(0.8, 0.99, when=OneOf("policy", ("constant",))),
        "weight_decay": Choice((1e-4, 0.0, 1e-5, 1e-3)),
    },
    grid_levels={"n_blocks": 2, "lr": 4, "policy": 3},
    try_first=(
        {  # 1cycle as in Smith 2018, section 5: max_lr / 10, momentum 0.95 to 0.85
            "n_blocks": 3,
            "channels": 32,
            "kernel_size": 3,
            "dropout": 0.0,
            "batch_size": 128,
            "lr": 0.1,
            "policy": "one_cycle",
            "base_lr_ratio": 0.1,
            "base_momentum": 0.85,
            "max_momentum": 0.95,
            "weight_decay": 1e-4,
        },
    ),
)
