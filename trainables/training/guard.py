"""The divergence guard: it finds trainings whose loss explodes or is not a number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Steps between two checks on a GPU: each check waits until the GPU has done all its work.
_GPU_STEPS = 32


class DivergenceGuard:
    """Watches the losses of a training's batches.

    ``limit_of`` computes the limit from the first loss. On a CPU each loss is checked at once. On a
    GPU the losses are compared there, and the guard reads the result every ``steps`` batches and in
    :meth:`has_exploded`.
    """

    def __init__(
        self,
        limit_of: Callable[[float], float],
        device: torch.device,
        steps: int | None = None,
    ) -> None:
        self._limit_of = limit_of
        self._steps = steps or (_GPU_STEPS if device.type == "cuda" else 1)
        self._sound: Tensor | None = None  # are all losses since the last check below the limit?
        self._unseen = 0
        self.limit: float | None = None
        """From this loss on, the training has diverged. It is part of the training's state."""

    def explodes(self, loss: Tensor) -> bool:
        """Whether this ``loss``, or one since the last check, has reached the limit."""
        if self.limit is None:
            self.limit = self._limit_of(loss.item())
        if self._steps == 1:
            return not loss.item() < self.limit  # written so that NaN counts as exploded
        sound = loss.detach() < self.limit
        self._sound = sound if self._sound is None else self._sound & sound
        self._unseen += 1
        return self._unseen >= self._steps and self.has_exploded()

    def has_exploded(self) -> bool:
        """Checks the losses that have not been checked yet."""
        exploded = self._sound is not None and not self._sound.item()
        self._sound, self._unseen = None, 0
        return exploded
