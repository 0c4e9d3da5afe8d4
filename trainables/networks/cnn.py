"""The convolutional network, for images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from trainables.training.config import TrainingConfig, check_integer, check_number

MAX_CHANNELS = 256


@dataclass(frozen=True, kw_only=True)
class CNNConfig(TrainingConfig):
    """Hyperparameters of a CNN. Raises ``ValueError`` for a value out of its range."""

    n_blocks: int  # convolution blocks
    channels: int  # of the first block; doubles with each block, up to 256
    kernel_size: int = 3  # side of every kernel, odd
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
        check_number("dropout", self.dropout, "in [0, 1)", lambda v: 0 <= v < 1)

    @property
    def block_channels(self) -> tuple[int, ...]:
        """Output channels of each block."""
        return tuple(min(self.channels * 2**i, MAX_CHANNELS) for i in range(self.n_blocks))


class CNN(nn.Module):
    """Maps images ``(n, channels, height, width)`` to ``(n, n_outputs)``: logits, or values.

    Blocks of convolution, batch normalisation and ReLU, each halving the image as long as its
    smaller side keeps 2 pixels; then the mean over the image, dropout and a linear layer.
    ``input_shape`` is the ``(channels, height, width)`` of one image.

    Raises ``ValueError`` for an ``input_shape`` that is not an image's.
    """

    def __init__(self, config: CNNConfig, input_shape: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise ValueError(
                "a CNN needs images of shape (channels, height, width), "
                f"not inputs of shape {input_shape}"
            )
        channels, height, width = input_shape
        self.layers = nn.Sequential(
            *_blocks(config, channels, min(height, width)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(config.dropout) if config.dropout > 0 else nn.Identity(),
            nn.Linear(config.block_channels[-1], n_outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x))


def _blocks(config: CNNConfig, n_in: int, side: int) -> Iterator[nn.Module]:
    for n_out in config.block_channels:
        yield nn.Conv2d(
            n_in, n_out, config.kernel_size, padding=config.kernel_size // 2, bias=False
        )
        yield nn.BatchNorm2d(n_out)
        yield nn.ReLU()
        if side // 2 >= 2:
            yield nn.MaxPool2d(2)
            side //= 2
        n_in = n_out
