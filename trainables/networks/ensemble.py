"""Several networks as one: the mean of what they predict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean prediction of ``networks``, each of which gives (n, n_outputs).

    Deep ensembles: Lakshminarayanan, Pritzel and Blundell 2017, section 2.4.
    """

    def __init__(self, networks: Sequence[nn.Module], task: str) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.task = task

    def forward(self, inputs: Tensor) -> Tensor:
        return mean_prediction([network(inputs) for network in self.networks], self.task)


def mean_prediction(outputs: Sequence[Tensor], task: str) -> Tensor:
    """Of a regression the mean; of a classification the logarithm of the mean probabilities, which
    stands in the place of logits. Shapes (n, n_outputs), of ``outputs`` and of what is returned."""
    together = torch.stack(list(outputs))
    if task == "regression":
        return together.mean(0)
    return torch.logsumexp(together.log_softmax(2), 0) - math.log(len(outputs))
