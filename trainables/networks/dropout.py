"""Dropout that is not slower than the layer before it, even on a CPU."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 256  # values of a random byte


class Dropout(nn.Dropout):
    """``nn.Dropout`` with faster masks on a CPU: bytes of numpy's SFC64 take a quarter of the time.

    On a CPU ``p`` is rounded to the nearest multiple of 1/256, but stays below 1, and the kept
    values are scaled accordingly, so that the mean does not change. The bytes depend on the state
    of torch's global generator at the first batch after :meth:`train`: a training that resumes at
    the end of an epoch draws the same masks.
    """

    _bytes: np.random.SFC64 | None = None

    def train(self, mode: bool = True) -> Dropout:
        self._bytes = None
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:
        dropped = min(round(self.p * _LEVELS), _LEVELS - 1)
        if not self.training or not dropped or input.device.type != "cpu":
            return super().forward(input)
        kept = self._random_bytes(input.shape) >= dropped
        return input * kept.to(input.dtype).mul_(_LEVELS / (_LEVELS - dropped))

    def _random_bytes(self, shape: torch.Size) -> Tensor:
        if self._bytes is None:
            self._bytes = np.random.SFC64(cast("int", torch.randint(2**62, ()).item()))
        words = self._bytes.random_raw(-(-shape.numel() // 8))
        return torch.from_numpy(words.view(np.uint8)[: shape.numel()]).view(shape)
