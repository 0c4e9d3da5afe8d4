"""A training's inputs on its device. On a GPU, 8-bit images are kept as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.data.image_inputs import ImageInputs
from trainables.training.batches import EVALUATION_BATCH, to_tensor

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

_AT_ONCE = 4096  # images that are moved to the GPU together


@dataclass(frozen=True)
class Inputs:
    """All inputs (n, ...) of a split. A network gets them as float32."""

    kept: Tensor
    scale: tuple[Tensor, Tensor] | None = None
    """Mean and standard deviation of each channel if ``kept`` holds pixels. None if ``kept`` holds
    the inputs themselves."""

    def __len__(self) -> int:
        return len(self.kept)

    def of(self, batch: Tensor) -> Tensor:
        """The inputs of the samples in ``batch``."""
        return self._scaled(self.kept[batch])

    def parts(self) -> Iterator[Tensor]:
        """All inputs, in parts that are small enough to be evaluated."""
        return map(self._scaled, torch.split(self.kept, EVALUATION_BATCH))

    def channels_last(self) -> Inputs:
        """The same inputs in the memory order that tensor cores prefer."""
        return replace(self, kept=self.kept.contiguous(memory_format=torch.channels_last))

    def _scaled(self, kept: Tensor) -> Tensor:
        if self.scale is None:
            return kept
        mean, std = self.scale
        return kept.to(torch.float32).sub_(mean).div_(std)


def inputs_on(device: torch.device, x: np.ndarray, data: TrialData) -> Inputs:
    """``x``, a split of ``data``, on ``device``.

    On the CPU the memory is shared. On a GPU 8-bit images are kept as bytes, in a quarter of the
    memory, and each batch is scaled again to exactly the same numbers.
    """
    pixels = None if device.type == "cpu" else as_pixels(device, x, data)
    return pixels or Inputs(to_tensor(x, device))


def as_pixels(device: torch.device, x: np.ndarray, data: TrialData) -> Inputs | None:
    """``x`` as bytes, or None if ``x`` does not come from 8-bit images."""
    images = None if data.preprocessing is None else data.preprocessing.inputs
    if not isinstance(images, ImageInputs) or images.mode == "F":
        return None
    scale = [torch.tensor(values, device=device) for values in (images.mean, images.std)]
    mean, std = (values.view(-1, 1, 1) for values in scale)
    found = Inputs(torch.empty(x.shape, dtype=torch.uint8, device=device), (mean, std))
    same = torch.tensor(True, device=device)
    for start in range(0, len(x), _AT_ONCE):
        part = to_tensor(x[start : start + _AT_ONCE], device)
        kept = found.kept[start : start + _AT_ONCE]
        kept.copy_((part * std + mean).round_().clamp_(0, 255))
        same &= (found._scaled(kept) == part).all()
    return found if same.item() else None
