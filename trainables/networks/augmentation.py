"""Augmentation: a training sees each image in a different form every time.

A layer in front of the network changes the images during training, and does nothing during
evaluation. It draws from torch's global generator, as dropout does, so a training that resumes from
a checkpoint draws the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.networks.cnn_config import Augmentation

_SHARE = 8  # an image is shifted by at most an eighth of its smaller side


class RandomShift(nn.Module):
    """Shifts each image ``(channels, height, width)`` of a batch by up to ``most`` pixels along
    both axes; each number of pixels is equally likely. The free border is filled with the image,
    reflected at its edge: the crop of He et al. 2016 (arXiv 1512.03385, section 4.2), with the
    padding of airbench (Jordan 2024, arXiv 2404.00498, section 3.1)."""

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
    """Flips each image of a batch, left to right, with a probability of 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        flipped = torch.rand(len(x), device=x.device) < 0.5
        return torch.where(flipped[:, None, None, None], x.flip(3), x)


def augment(how: Augmentation, side: int) -> nn.Module:
    """The augmentation layer for images whose smaller side has ``side`` pixels."""
    most = min(max(side // _SHARE, 1), side - 1)  # a single pixel has no neighbour to reflect
    shift = [RandomShift(most)] if how != "none" and most else []
    flip = [RandomFlip()] if how == "flip_shift" else []
    return nn.Sequential(*flip, *shift)
