"""Which inputs of a network are numbers, and which tell the values of a large category apart.

This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.data.columns import Category
from trainables.data.table_inputs import TableInputs

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

SAMPLE = 10_000  # train samples from which numbers and their quantiles are found


def sample_of(data: TrialData) -> np.ndarray:
    """Some train samples, spread evenly; always the same ones.

    A network is built for every trial, and a sample tells it enough.
    """
    return data.x_train[:: -(-len(data.x_train) // SAMPLE)]


def numbers_of(data: TrialData) -> dict[int, np.ndarray]:
    """The inputs that have more than two values in the sample: from the place of each input to its
    values in increasing order. Empty for images."""
    if data.is_image:
        return {}
    x = sample_of(data)
    values = {place: np.unique(x[:, place]) for place in range(x.shape[1])}
    return {place: seen for place, seen in values.items() if len(seen) > 2}


def large_categories(data: TrialData) -> dict[int, Category]:
    """The categories with an input that tells all values apart, by the place of that input."""
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
    """The hyperparameters of embeddings that have no effect on ``data``, and their values then."""
    fixed: dict[str, Any] = {}
    if not numbers_of(data):
        fixed["num_embedding"] = "none"
    if not large_categories(data):
        fixed["cat_embedding"] = False
    return fixed
