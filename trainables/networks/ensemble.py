"""Several networks as one: the mean of what they predict, and which of them are worth it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

ROUNDS = 20  # of the selection: a network has a weight of k / ROUNDS at least


class Ensemble(nn.Module):
    """The weighted mean prediction of ``networks``, each of which gives (n, n_outputs).

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
    """Of a regression the mean; of a classification the logarithm of the mean probabilities less
    that of the largest, which stands in the place of logits: found in float64, it keeps the odds of
    networks that are certain in float32 too. Shapes (n, n_outputs), of ``outputs`` and of what is
    returned. ``weights``: one for each of ``outputs``, above 0; by default they are equal."""
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
    """How often each of several networks is taken into an ensemble; 0 for one that is left out.

    Ensemble selection from libraries of models: Caruana, Niculescu-Mizil, Crew and Ksikes 2004,
    section 2 and 2.1: round by round the network that lowers the loss most, or raises it least, is
    taken once more; of all rounds the best counts. So a network that does harm stays outside, and
    a single one remains where nothing is better.

    Args:
        outputs: What each network gives for samples that it was not trained on: (n, n_outputs).
        task: "regression" or "classification".
        loss: Of a mean prediction for these samples: (n, n_outputs).
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
