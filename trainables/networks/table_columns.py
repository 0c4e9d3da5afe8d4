"""Which inputs of a network are numbers, and which tell one value of a large category from another.

Without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.data.columns import Category
from trainables.data.table_inputs import TableInputs

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

SAMPLE = 10_000  # train samples by which numbers and their quantiles are known


def sample_of(data: TrialData) -> np.ndarray:
    """Some train samples, spread evenly: the same every time. A network is built for every
    trial, and these tell it enough."""
    return data.x_train[:: -(-len(data.x_train) // SAMPLE)]


def numbers_of(data: TrialData) -> dict[int, np.ndarray]:
    """The inputs that have more than two values among the sample, by their places, and these values
    in increasing order. An image has none."""
    if data.is_image:
        return {}
    x = sample_of(data)
    values = {place: np.unique(x[:, place]) for place in range(x.shape[1])}
    return {place: seen for place, seen in values.items() if len(seen) > 2}


def large_categories(data: TrialData) -> dict[int, Category]:
    """The categories whose values are told apart by one input, by the place of that input."""
    inputs = None if data.preprocessing is None else data.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        return {}
    found, end = {}, 0
    for column in inputs.columns:
        end += column.width
        if isinstance(column, Category) and column.counts is not None and column.apart:
            found[end - 1] = column
    return found


def without_use(data: TrialData) -> Mapping[str, Any]:
    """The hyperparameters of embeddings that ``data`` have nothing for, and what they then are."""
    fixed: dict[str, Any] = {}
    if not numbers_of(data):
        fixed["num_embedding"] = "none"
    if not large_categories(data):
        fixed["cat_embedding"] = False
    return fixed
