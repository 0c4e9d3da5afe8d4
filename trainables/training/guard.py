"""The divergence guard: it ends a training whose loss explodes or is not a number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Steps between two looks on a GPU, where each look waits for all that was asked of it.
_GPU_STEPS = 32


class DivergenceGuard:
    """Watches the losses of a training's batches.

    ``limit_of`` says from the first loss which one is too much. On a CPU each loss is looked at; on
    a GPU they are compared there, and the guard looks once in ``steps`` batches and when asked.
    """

    def __init__(
        self,
        limit_of: Callable[[float], float],
        device: torch.device,
        steps: int | None = None,
    ) -> None:
        self._limit_of = limit_of
        self._steps = steps or (_GPU_STEPS if device.type == "cuda" else 1)
        self._sound: Tensor | None = None  # whether all losses since the last look were
        self._unseen = 0
        self.limit: float | None = None
        """The loss from which the training has diverged: part of its state."""

    def explodes(self, loss: Tensor) -> bool:
        """Whether a batch with ``loss``, or one since the last look, has diverged."""
        if self.limit is None:
            self.limit = self._limit_of(loss.item())
        if self._steps == 1:
            return not loss.item() < self.limit  # in this form NaN explodes
        sound = loss.detach() < self.limit
        self._sound = sound if self._sound is None else self._sound & sound
        self._unseen += 1
        return self._unseen >= self._steps and self.has_exploded()

    def has_exploded(self) -> bool:
        """Look now at what has not been looked at."""
        exploded = self._sound is not None and not self._sound.item()
        self._sound, self._unseen = None, 0
        return exploded
