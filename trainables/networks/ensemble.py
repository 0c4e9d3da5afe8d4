"""Ensembles: the mean prediction of several networks, and the choice of these networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

ROUNDS = 20  # of the selection; each round adds one network


class Ensemble(nn.Module):
    """The weighted mean prediction of ``networks``, each of which returns (n, n_outputs).

    Deep ensembles: Lakshminarayanan, Pritzel and Blundell 2017, section 2.4.
    """

    def __init__(
        self, networks: Sequence[nn.Module], task: str, weights: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.task = task
        self.weights = tuple(weights)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = [network(inputs) for network in self.networks]
        return mean_prediction(outputs, self.task, self.weights)


def mean_prediction(outputs: Sequence[Tensor], task: str, weights: Sequence[float] = ()) -> Tensor:
    """The weighted mean of ``outputs``, each (n, n_outputs); the result has the same shape.

    For a regression this is the mean. For a classification it is the logarithm of the mean
    probabilities, minus the logarithm of the largest of them; it takes the place of logits. It is
    computed in float64, so that the odds of very certain networks survive in float32.
    ``weights`` has a number above 0 for each of ``outputs``; by default all weights are equal.
    """
    weights = weights or [1.0] * len(outputs)
    shares = [weight / sum(weights) for weight in weights]
    if task == "regression":
        return torch.stack([s * out for s, out in zip(shares, outputs, strict=True)]).sum(0)
    logs = [
        out.double().log_softmax(1) + math.log(s) for s, out in zip(shares, outputs, strict=True)
    ]
    mean = torch.logsumexp(torch.stack(logs), 0)
    return (mean - mean.amax(1, keepdim=True)).to(outputs[0].dtype)


def select(
    outputs: Sequence[Tensor], task: str, loss: Callable[[Tensor], float]
) -> tuple[int, ...]:
    """How often each network is taken into an ensemble; 0 for a network that is left out.

    Ensemble selection from libraries of models: Caruana, Niculescu-Mizil, Crew and Ksikes 2004,
    section 2 and 2.1. Each round takes one network once more: the one that lowers the loss most, or
    raises it least. The ensemble of the best round is returned. So a harmful network is left out,
    and the result is a single network if no ensemble is better.

    Args:
        outputs: The outputs (n, n_outputs) of each network for samples that it was not trained on.
        task: "regression" or "classification".
        loss: Computes the loss of a mean prediction (n, n_outputs) for these samples.
    """
    counts = [0] * len(outputs)
    best, best_loss = (1, *counts[1:]), math.inf

    def loss_with(extra: int) -> float:
        taken = [(count + (i == extra), outputs[i]) for i, count in enumerate(counts)]
        weights, members = zip(*((count, out) for count, out in taken if count), strict=True)
        found = loss(mean_prediction(members, task, weights))
        return found if math.isfinite(found) else math.inf

    for _ in range(ROUNDS):
        losses = [loss_with(i) for i in range(len(outputs))]
        chosen = min(range(len(outputs)), key=losses.__getitem__)
        counts[chosen] += 1
        if losses[chosen] < best_loss:
            best, best_loss = tuple(counts), losses[chosen]
    divisor = math.gcd(*best)
    return tuple(count // divisor for count in best)
