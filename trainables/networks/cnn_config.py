"""The hyperparameters of the convolutional network. This module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from trainables.training.config import (
    TrainingConfig,
    check_bool,
    check_choice,
    check_integer,
    check_number,
)

Augmentation: TypeAlias = Literal["none", "shift", "flip_shift"]

MAX_CHANNELS = 256


@dataclass(frozen=True, kw_only=True)
class CNNConfig(TrainingConfig):
    """Hyperparameters of a CNN. Raises ``ValueError`` for a value out of its range."""

    n_blocks: int  # convolution blocks
    channels: int  # of the first block; the number doubles with each block, up to 256
    kernel_size: int = 3  # side of every kernel; odd
    residual: bool = False  # each block adds the output of two convolutions to its input
    augmentation: Augmentation = "none"  # how images are changed at random in training
    dropout: float = 0.0  # probability of dropping a feature before the output layer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("n_blocks", self.n_blocks, "of at least 1", lambda v: v >= 1)
        check_integer(
            "channels",
            self.channels,
            f"from 1 to {MAX_CHANNELS}",
            lambda v: 1 <= v <= MAX_CHANNELS,
        )
        check_integer(
            "kernel_size",
            self.kernel_size,
            "that is odd and at least 1",
            lambda v: v >= 1 and v % 2 == 1,
        )
        check_bool("residual", self.residual)
        check_choice("augmentation", self.augmentation, get_args(Augmentation))
        check_number("dropout", self.dropout, "in [0, 1)", lambda v: 0 <= v < 1)

    @property
    def block_channels(self) -> tuple[int, ...]:
        """Output channels of each block."""
        return tuple(min(self.channels * 2**i, MAX_CHANNELS) for i in range(self.n_blocks))
