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
    hits_below: Tensor  # those of them that are of the class


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

        ordered, places = log_odds(self.outputs).sort(dim=1)
        hits = self.truth.gather(1, places)
        numbers = torch.arange(len(self.targets), device=places.device).expand_as(places)
        rises = torch.ones_like(places, dtype=torch.bool)
        torch.ne(ordered[:, 1:], ordered[:, :-1], out=rises[:, 1:])
        # Of those with the same probability the first has none of theirs before it.
        below = numbers.where(rises, 0).cummax(1).values
        return Ranking(hits, below.double(), (hits.cumsum(1) - hits).gather(1, below))

    def mean_over_classes(self, values: Tensor) -> Tensor:
        """Of ``values`` (n_classes,): over the classes that the targets have."""
        present = self.per_class > 0
        return values.where(present, values.new_zeros(())).sum() / present.sum()


def log_odds(outputs: Tensor) -> Tensor:
    """log(p / (1 - p)) of each class's probability p by the softmax of ``outputs`` (n, n_classes):
    (n_classes, n). It rises with p, and still does where p is rounded to 1 (float32: from 17 on).

    Found in float64, and rounded to float32: the last digits depend on the order of a sum, and what
    is equal must stay equal.
    """
    import torch

    logits = outputs.double().t().contiguous()  # 8 times as fast as along the other axis
    if len(logits) == 2:
        margin = (logits[1] - logits[0]).float()
        return torch.stack([-margin, margin])
    # An output less the logarithm of the others' sum of powers. Of the largest that is no
    # difference of sums, which would be 0: theirs is summed apart.
    first, place = logits.max(0, keepdim=True)
    without = logits.scatter(0, place, -torch.inf)
    second = without.amax(0, keepdim=True)
    rest = (without - second).exp_().sum(0, keepdim=True).log_() + second
    powers = (logits - first).exp_()
    others = (powers.sum(0) - powers).log_() + first
    return (logits - others.scatter_(0, place, rest)).float()
