"""A table's inputs before the first layer: its numbers as embeddings, the rest as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from trainables.networks.numeric_embeddings import Periodic, PiecewiseLinear

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.mlp_config import MLPConfig

SAMPLE = 10_000  # train samples by which numbers and their quantiles are known


class EmbeddedInputs(nn.Module):
    """From inputs (n, n_inputs) to (n, width): ``numbers``, the places of some of them, each become
    a vector of ``size``."""

    numbers: Tensor
    others: Tensor

    def __init__(self, n_inputs: int, numbers: list[int], embedding: nn.Module, size: int) -> None:
        super().__init__()
        others = sorted({*range(n_inputs)} - {*numbers})
        # Known from the data, and so no part of the weights.
        self.register_buffer("numbers", torch.tensor(numbers), persistent=False)
        self.register_buffer("others", torch.tensor(others, dtype=torch.long), persistent=False)
        self.embedding = embedding
        self.width = len(others) + len(numbers) * size

    def forward(self, x: Tensor) -> Tensor:
        embedded = self.embedding(x.index_select(1, self.numbers))
        return torch.cat([x.index_select(1, self.others), embedded.flatten(1)], 1)


def embed_inputs(config: MLPConfig, data: TrialData) -> EmbeddedInputs | None:
    """What ``config`` says of the numbers of ``data``: of all inputs with more than two values
    among the train samples. None where there are none, where it says nothing, and of images."""
    if data.is_image or config.num_embedding == "none":
        return None
    # The same samples every time, and enough: a network is built for every trial.
    x = data.x_train[:: -(-len(data.x_train) // SAMPLE)]
    values = {place: np.unique(x[:, place]) for place in range(x.shape[1])}
    numbers = [place for place, seen in values.items() if len(seen) > 2]
    if not numbers:
        return None
    size = config.num_embedding_size
    embedding: nn.Module
    if config.num_embedding == "periodic":
        embedding = Periodic(len(numbers), size, config.frequency_scale)
    else:
        edges = [_edges(x[:, place], values[place], config.n_bins) for place in numbers]
        embedding = PiecewiseLinear(edges, size)
    return EmbeddedInputs(x.shape[1], numbers, embedding, size)


def _edges(x: np.ndarray, seen: np.ndarray, n_bins: int) -> list[float]:
    """Of bins between neighbouring values where these are few, else between quantiles."""
    if len(seen) > n_bins + 1:
        seen = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1), method="nearest"))
    return [float(value) for value in seen]
