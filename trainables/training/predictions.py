"""Predictions and their targets, with the values that several metrics share, computed only once.

All values stay in tensors on the device: if each metric waited for a number, it would cost as much
as a step of a small network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Ranking(NamedTuple):
    """The samples, sorted by the probability of each class; all (n_classes, n) in float64."""

    hits: Tensor  # 1 if the sample belongs to the class, else 0
    below: Tensor  # the number of samples with a lower probability
    hits_below: Tensor  # how many of these belong to the class


@dataclass(frozen=True)
class Predictions:
    """``outputs`` (n, n_outputs) and ``targets`` (n,), on one device.

    The metrics of a classification equal those of scikit-learn, except for rounding.
    """

    outputs: Tensor
    targets: Tensor

    @cached_property
    def errors(self) -> Tensor:
        """The errors (n,) of a regression, in standard deviations of the target."""
        return self.outputs.squeeze(1) - self.targets

    @cached_property
    def truth(self) -> Tensor:
        """(n_classes, n), float64: 1 if the sample belongs to the class, else 0."""
        import torch

        classes = torch.arange(self.outputs.shape[1], device=self.outputs.device)
        return (classes[:, None] == self.targets).double()

    @cached_property
    def per_class(self) -> Tensor:
        """Samples of each class, (n_classes,)."""
        return self.truth.sum(1)

    @cached_property
    def confusion(self) -> Tensor:
        """How many samples of each class (row) are predicted as each class (column)."""
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
        # Samples with the same probability share the count of the first of them.
        below = numbers.where(rises, 0).cummax(1).values
        return Ranking(hits, below.double(), (hits.cumsum(1) - hits).gather(1, below))

    def mean_over_classes(self, values: Tensor) -> Tensor:
        """The mean of ``values`` (n_classes,) over the classes that occur in the targets."""
        present = self.per_class > 0
        return values.where(present, values.new_zeros(())).sum() / present.sum()


def log_odds(outputs: Tensor) -> Tensor:
    """log(p / (1 - p)) as (n_classes, n), where p is the softmax probability of each class in
    ``outputs`` (n, n_classes). It still rises with p where p is rounded to 1 (float32: from 17 on).

    It is computed in float64 and rounded to float32: the last digits depend on the order of a sum,
    and equal values must stay equal.
    """
    import torch

    logits = outputs.double().t().contiguous()  # 8 times as fast as along the other axis
    if len(logits) == 2:
        margin = (logits[1] - logits[0]).float()
        return torch.stack([-margin, margin])
    # Each output minus the logarithm of the sum of the others' exponentials. For the largest output
    # the sum of the others is computed separately, because a difference of sums would be 0.
    first, place = logits.max(0, keepdim=True)
    without = logits.scatter(0, place, -torch.inf)
    second = without.amax(0, keepdim=True)
    rest = (without - second).exp_().sum(0, keepdim=True).log_() + second
    powers = (logits - first).exp_()
    others = (powers.sum(0) - powers).log_() + first
    return (logits - others.scatter_(0, place, rest)).float()
