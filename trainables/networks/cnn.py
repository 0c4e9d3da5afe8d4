"""The convolutional network (CNN), for images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from trainables.networks.augmentation import augment
from trainables.networks.cnn_config import CNNConfig
from trainables.networks.dropout import Dropout


class CNN(nn.Module):
    """Maps images ``(n, channels, height, width)`` to ``(n, n_outputs)``: logits, or regression
    values.

    The blocks are convolution, batch normalisation and ReLU, or residual blocks. Each block halves
    the image as long as its smaller side keeps 2 pixels. Then come the mean over the image, dropout
    and a linear layer. During training, images are augmented first. ``input_shape`` is the
    ``(channels, height, width)`` of one image.

    Raises ``ValueError`` for an ``input_shape`` that is not the shape of an image.
    """

    def __init__(self, config: CNNConfig, input_shape: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise ValueError(
                "a CNN needs images of shape (channels, height, width), "
                f"not inputs of shape {input_shape}"
            )
        channels, height, width = input_shape
        self.augment = augment(config.augmentation, min(height, width))
        self.layers = nn.Sequential(
            *_blocks(config, channels, min(height, width)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            Dropout(config.dropout) if config.dropout > 0 else nn.Identity(),
            nn.Linear(config.block_channels[-1], n_outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(self.augment(x)))


class ResidualBlock(nn.Module):
    """The basic block of He et al. 2016 (arXiv 1512.03385, figure 2 and section 3.3, option B).

    The output of two convolutions with batch normalisation is added to the input. If the number of
    channels changes, the input first goes through a 1 x 1 convolution. At the start the two
    convolutions add nothing (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    def __init__(self, n_in: int, n_out: int, kernel_size: int) -> None:
        super().__init__()
        last = _normed(n_out, n_out, kernel_size)
        nn.init.zeros_(last[1].weight)  # type: ignore[arg-type]
        self.layers = nn.Sequential(*_normed(n_in, n_out, kernel_size), nn.ReLU(), *last)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Sequential(*_normed(n_in, n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.layers(x) + self.shortcut(x))


def _blocks(config: CNNConfig, n_in: int, side: int) -> Iterator[nn.Module]:
    for n_out in config.block_channels:
        if config.residual:
            yield ResidualBlock(n_in, n_out, config.kernel_size)
        else:
            yield from _normed(n_in, n_out, config.kernel_size)
            yield nn.ReLU()
        if side // 2 >= 2:
            yield nn.MaxPool2d(2)
            side //= 2
        n_in = n_out


def _normed(n_in: int, n_out: int, kernel_size: int) -> tuple[nn.Module, nn.Module]:
    """A convolution that keeps the size of the image, and its batch normalisation."""
    convolution = nn.Conv2d(n_in, n_out, kernel_size, padding=kernel_size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out)
