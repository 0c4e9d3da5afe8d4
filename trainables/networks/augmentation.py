"""Images that are shown otherwise each time: what a training adds to the images that it has.

A layer in front of a network that does so while it trains, and nothing while it is judged. It draws
from torch's global generator, as dropout does, so a training that goes on from a checkpoint draws
the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.networks.cnn_config import Augmentation

_SHARE = 8  # an image is moved by an eighth of its smaller side at most


class RandomShift(nn.Module):
    """Moves each image ``(channels, height, width)`` of a batch by up to ``most`` pixels along both
    sides, each number of pixels equally likely. What comes in over the border is the image,
    reflected at it: the crop of He et al. 2016 (arXiv 1512.03385, section 4.2), with the padding of
    airbench (Jordan 2024, arXiv 2404.00498, section 3.1)."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        n, channels, height, width = x.shape
        padded = functional.pad(x, [self.most] * 4, mode="reflect")
        begin = torch.randint(0, 2 * self.most + 1, (2, n, 1), device=x.device)
        rows = begin[0] + torch.arange(height, device=x.device)  # (n, height)
        columns = begin[1] + torch.arange(width, device=x.device)
        image = torch.arange(n, device=x.device)[:, None, None, None]
        channel = torch.arange(channels, device=x.device)[:, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


class RandomFlip(nn.Module):
    """Shows each image of a batch as in a mirror, left and right exchanged, or as it is: both are
    equally likely."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        flipped = torch.rand(len(x), device=x.device) < 0.5
        return torch.where(flipped[:, None, None, None], x.flip(3), x)


def augment(how: Augmentation, side: int) -> nn.Module:
    """The layer for images whose smaller side has ``side`` pixels."""
    most = min(max(side // _SHARE, 1), side - 1)  # one pixel has no neighbour to be reflected
    shift = [RandomShift(most)] if how != "none" and most else []
    flip = [RandomFlip()] if how == "flip_shift" else []
    return nn.Sequential(*flip, *shift)
