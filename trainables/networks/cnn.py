"""The convolutional network, for images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn

from trainables.networks.cnn_config import CNNConfig
from trainables.networks.dropout import Dropout


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
            Dropout(config.dropout) if config.dropout > 0 else nn.Identity(),
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
