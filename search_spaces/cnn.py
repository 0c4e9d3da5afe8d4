"""The space of convolutional networks trained with cyclical learning rates.

Weight decay takes the values that Smith 2018 tries (arXiv 1803.09820, section 4.4).
"""

from search_spaces.domains import Choice, Float, Int
from search_spaces.policies import policy_domains
from search_spaces.portfolio import CNN_PORTFOLIO
from search_spaces.space import SearchSpace

CNN_SPACE = SearchSpace(
    {
        "n_blocks": Int(1, 4),
        "channels": Choice((16, 8, 32, 64)),
        "kernel_size": Choice((3, 5)),
        "residual": Choice((False, True)),
        "augmentation": Choice(("none", "shift", "flip_shift")),
        "label_smoothing": Choice((0.0, 0.1)),
        "dropout": Float(0.0, 0.5),
        "batch_size": Choice((64, 32, 128, 256)),
        "lr": Float(1e-3, 1.0, log=True),  # max_lr if the policy moves the learning rate
        **policy_domains(),
        "weight_decay": Choice((1e-4, 0.0, 1e-5, 1e-3)),
    },
    grid_levels={"n_blocks": 2, "lr": 4, "policy": 3},
    if_missing={"residual": False, "augmentation": "none", "label_smoothing": 0.0},
    try_first=CNN_PORTFOLIO,
)
