"""Embeddings of numbers: each number of a table becomes a vector before the first layer.

A layer of an MLP only multiplies a number by weights: to learn a function with many turns, the MLP
needs many layers, or many steps. See Gorishniy, Rubachev and Babenko 2022, "On embeddings for
numerical features in tabular deep learning" (arXiv 2203.05556).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

N_FREQUENCIES = 16  # of each number, as in RealMLP (table A.1)


class PiecewiseLinear(nn.Module):
    """From numbers (n, k) to vectors (n, k, size): a line plus a piecewise linear function between
    the edges of bins.

    This is the piecewise linear encoding of Gorishniy et al. 2022 (section 3.2, equation 1) with
    bins between quantiles (section 3.2.1). Each number has its own linear layer of the bins. It
    begins at zero and is added to the line, as in the authors' later version (TabM, Gorishniy et
    al. 2025, arXiv 2410.24210, appendix A). Outside the bins only the line continues.

    ``edges`` holds, for each number, at least two edges of its bins in increasing order.
    """

    lower: Tensor
    per_width: Tensor

    def __init__(self, edges: list[list[float]], size: int) -> None:
        super().__init__()
        most = max(map(len, edges)) - 1
        # Bins that this number does not have: 1 / width is 0, so no value is ever inside them.
        lower = torch.zeros(len(edges), most)
        per_width = torch.zeros(len(edges), most)
        for row, each in enumerate(edges):
            at = torch.tensor(each)
            lower[row, : len(each) - 1] = at[:-1]
            per_width[row, : len(each) - 1] = 1 / at.diff()
        self.register_buffer("lower", lower)
        self.register_buffer("per_width", per_width)
        self.bins = nn.Parameter(torch.zeros(len(edges), most, size))
        self.slope = nn.Parameter(_uniform(len(edges), size))
        self.bias = nn.Parameter(_uniform(len(edges), size))

    def forward(self, x: Tensor) -> Tensor:
        inside = ((x[:, :, None] - self.lower) * self.per_width).clamp(0, 1)
        pieces = torch.bmm(inside.transpose(0, 1), self.bins).transpose(0, 1)
        return pieces + x[:, :, None] * self.slope + self.bias


class Periodic(nn.Module):
    """From numbers (n, k) to vectors (n, k, size): the number itself, and a linear layer of its
    cosines.

    This is the PBLD embedding of RealMLP (Holzmueller et al. 2024, arXiv 2407.04491, section 3),
    after the periodic embeddings of Gorishniy et al. 2022 (section 3.3, equation 2). The
    frequencies and phases are learnt. ``scale`` is the standard deviation of the frequencies at the
    start. ``size`` is at least 2.
    """

    def __init__(self, k: int, size: int, scale: float) -> None:
        super().__init__()
        n_frequencies = N_FREQUENCIES
        self.frequency = nn.Parameter(scale * torch.randn(k, n_frequencies))
        self.phase = nn.Parameter(math.pi * (2 * torch.rand(k, n_frequencies) - 1))
        bound = n_frequencies**-0.5
        self.weight = nn.Parameter(bound * (2 * torch.rand(k, n_frequencies, size - 1) - 1))
        self.bias = nn.Parameter(bound * (2 * torch.rand(k, size - 1) - 1))

    def forward(self, x: Tensor) -> Tensor:
        angles = 2 * math.pi * x[:, :, None] * self.frequency + self.phase
        waves = torch.bmm(angles.cos().transpose(0, 1), self.weight).transpose(0, 1) + self.bias
        return torch.cat([x[:, :, None], waves], 2)


def _uniform(*shape: int) -> Tensor:
    return torch.empty(shape).uniform_(-1, 1) / math.sqrt(shape[-1])
