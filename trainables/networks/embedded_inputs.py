"""Embeddings of a table's inputs: numbers and large categories become vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from trainables.networks.numeric_embeddings import Periodic, PiecewiseLinear
from trainables.networks.table_columns import large_categories, numbers_of, sample_of

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.mlp_config import MLPConfig

MOST_OF_A_CATEGORY = 32  # most numbers in the vector of a category


class EmbeddedNumbers(nn.Module):
    """From inputs (n, n_inputs) to (n, width): each input whose place is in ``numbers`` becomes a
    vector of ``size``, and the other inputs stay as they are."""

    numbers: Tensor
    others: Tensor

    def __init__(self, n_inputs: int, numbers: list[int], embedding: nn.Module, size: int) -> None:
        super().__init__()
        others = sorted({*range(n_inputs)} - {*numbers})
        # These follow from the data, so they are not saved with the weights.
        self.register_buffer("numbers", torch.tensor(numbers), persistent=False)
        self.register_buffer("others", torch.tensor(others, dtype=torch.long), persistent=False)
        self.embedding = embedding
        self.width = len(others) + len(numbers) * size

    def forward(self, x: Tensor) -> Tensor:
        embedded = self.embedding(x.index_select(1, self.numbers))
        return torch.cat([x.index_select(1, self.others), embedded.flatten(1)], 1)


class CategoryEmbedding(nn.Module):
    """From inputs (n, n_inputs) to (n, width): a learnt vector for each value of a category.

    The input at ``place`` tells the value: it is one of ``steps``. For n values the vector has
    1.6 n^0.56 numbers, by the rule of fastai (Howard and Gugger 2020, arXiv 2002.04688), but at
    most 32, because a wider first layer costs time in every step.
    """

    between: Tensor

    def __init__(self, place: int, steps: np.ndarray) -> None:
        super().__init__()
        self.place = place
        self.width = min(MOST_OF_A_CATEGORY, round(1.6 * len(steps) ** 0.56))
        between = torch.tensor((steps[1:] + steps[:-1]) / 2)
        self.register_buffer("between", between, persistent=False)
        self.vectors = nn.Embedding(len(steps), self.width)
        nn.init.normal_(self.vectors.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        value = torch.bucketize(x[:, self.place].contiguous(), self.between)
        return cast(Tensor, self.vectors(value))


class EmbeddedInputs(nn.Module):
    """From inputs (n, n_inputs) to (n, width): the outputs of all ``parts``, side by side."""

    def __init__(self, parts: list[nn.Module], width: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts], 1)


def embed_inputs(config: MLPConfig, data: TrialData) -> EmbeddedInputs | None:
    """The embeddings that ``config`` asks for of the numbers and the large categories of ``data``.

    None if ``config`` asks for none, if ``data`` has no such inputs, and for images.
    """
    n_inputs = data.input_shape[0]
    numbers = None if config.num_embedding == "none" else _embedded_numbers(config, data)
    categories = large_categories(data) if config.cat_embedding else {}
    if numbers is None and not categories:
        return None
    of_categories = [CategoryEmbedding(place, c.steps) for place, c in categories.items()]
    width = sum(part.width for part in of_categories)
    if numbers is None:
        return EmbeddedInputs([nn.Identity(), *of_categories], n_inputs + width)
    return EmbeddedInputs([numbers, *of_categories], numbers.width + width)


def _embedded_numbers(config: MLPConfig, data: TrialData) -> EmbeddedNumbers | None:
    numbers, size = numbers_of(data), config.num_embedding_size
    if not numbers:
        return None
    embedding: nn.Module
    if config.num_embedding == "periodic":
        embedding = Periodic(len(numbers), size, config.frequency_scale)
    else:
        x = sample_of(data)
        edges = [_edges(x[:, place], seen, config.n_bins) for place, seen in numbers.items()]
        embedding = PiecewiseLinear(edges, size)
    return EmbeddedNumbers(data.input_shape[0], list(numbers), embedding, size)


def _edges(x: np.ndarray, seen: np.ndarray, n_bins: int) -> list[float]:
    """The edges of the bins: the values themselves if these are few, else quantiles."""
    if len(seen) > n_bins + 1:
        seen = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1), method="nearest"))
    return [float(value) for value in seen]
