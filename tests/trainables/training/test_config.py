"""The checks of a training's hyperparameters."""

import math
from typing import Any

import pytest

from trainables.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.0}, "lr must be above 0, not 0.0"),
        ({"lr": math.nan}, "lr must be above 0, not nan"),
        ({"lr": "big"}, "lr must be above 0, not 'big'"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), not 1.0"),
        ({"batch_size": 1.5}, "batch_size must be an integer of at least 1, not 1.5"),
        ({"policy": "cyclic"}, "policy must be one of one_cycle, .*constant, not 'cyclic'"),
        ({"optimizer": "adam"}, "optimizer must be one of sgd, adamw, not 'adam'"),
        (
            {"base_momentum": 0.9, "max_momentum": 0.8},
            "base_momentum must not be above max_momentum: 0.9 > 0.8",
        ),
    ],
)
def test_a_bad_value_says_the_rule_and_the_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**{"lr": 0.1} | changes)
