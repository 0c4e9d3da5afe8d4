"""Predictions beside what they should have been, and what several metrics need of them, found once.

All stays on the device, in tensors: a metric that waited for a number of its own would cost as much
as a step of a small network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Ranking(NamedTuple):
    """The samples in the order of each class's probability, all (n_classes, n) and in float64."""

    hits: Tensor  # 1 where a sample is of the class, else 0
    below: Tensor  # samples with a lower probability
    up_to: Tensor  # samples with a lower or the same probability


@dataclass(frozen=True)
class Predictions:
    """``outputs`` (n, n_outputs) and ``targets`` (n,), on one device.

    For the metrics of a classification see scikit-learn's, from which they differ by rounding.
    """

    outputs: Tensor
    targets: Tensor

    @cached_property
    def errors(self) -> Tensor:
        """Of a regression, (n,): in standard deviations of the target."""
        return self.outputs.squeeze(1) - self.targets

    @cached_property
    def truth(self) -> Tensor:
        """(n_classes, n), float64: 1 where a sample is of the class."""
        import torch

        classes = torch.arange(self.outputs.shape[1], device=self.outputs.device)
        return (classes[:, None] == self.targets).double()

    @cached_property
    def per_class(self) -> Tensor:
        """Samples of each class, (n_classes,)."""
        return self.truth.sum(1)

    @cached_property
    def confusion(self) -> Tensor:
        """How many samples of each class (row) are taken for each class (column)."""
        import torch

        classes = torch.arange(self.outputs.shape[1], device=self.outputs.device)
        return self.truth @ (self.outputs.argmax(1)[:, None] == classes).double()

    @cached_property
    def ranking(self) -> Ranking:
        import torch

        ordered, places = self.outputs.t().contiguous().softmax(0).sort(dim=1)  # 8 times as fast
        return Ranking(
            self.truth.gather(1, places),
            torch.searchsorted(ordered, ordered).double(),
            torch.searchsorted(ordered, ordered, right=True).double(),
        )

    def mean_over_classes(self, values: Tensor) -> Tensor:
        """Of ``values`` (n_classes,): over the classes that the targets have."""
        present = self.per_class > 0
        return values.where(present, values.new_zeros(())).sum() / present.sum()
