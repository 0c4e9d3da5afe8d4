"""A vector for each value of a large category."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from trainables.data.column_files import column_from_dict, column_to_dict
from trainables.data.columns import Category
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.networks.embedded_inputs import CategoryEmbedding
from trainables.networks.table_columns import large_categories

VALUES: dict[str, object] = {"n_layers": 1, "width_1": 32, "lr": 1e-2, "optimizer": "adamw"}
SHOPS = 120


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> TrialData:
    """Each of many shops has its own price, which does not depend on how often the shop occurs."""
    rng = np.random.default_rng(0)
    shop = rng.integers(0, SHOPS, 6000)
    price = rng.normal(size=SHOPS)[shop] + rng.normal(size=6000) / 10
    frame = pd.DataFrame({"shop": [f"s{n}" for n in shop], "x": rng.random(6000), "price": price})
    path = Path(tmp_path_factory.mktemp("shops"), "shops.csv")
    frame.to_csv(path, index=False)
    return load(str(path), target="price")


def category(data: TrialData) -> tuple[int, Category]:
    ((place, column),) = large_categories(data).items()
    return place, column


def score(data: TrialData, **values: object) -> float:
    network = NETWORKS["mlp"]
    config = {**VALUES, **values}
    training = network(config, data, max_epochs=15, seed=0, device=torch.device("cpu"))
    return max(float(metrics["val_r2"]) for metrics, _ in training)


def test_every_value_has_its_own_input(shops: TrialData) -> None:
    place, column = category(shops)
    steps = column.steps
    assert column.counts is not None
    assert len(steps) == len(column.counts) + 1 == SHOPS + 1
    assert set(np.unique(shops.x_train[:, place])) <= set(steps)
    assert len(np.unique(shops.x_train[:, place])) == SHOPS


def test_a_value_has_its_vector_and_a_new_one_that_of_all_others(shops: TrialData) -> None:
    place, column = category(shops)
    embedding = CategoryEmbedding(place, column.steps)
    assert embedding.width == round(1.6 * (SHOPS + 1) ** 0.56)
    x = torch.zeros(SHOPS + 1, shops.input_shape[0])
    x[:, place] = torch.from_numpy(column.steps)
    assert torch.equal(embedding(x), embedding.vectors.weight)
    assert shops.preprocessing is not None
    new = shops.preprocessing.transform(pd.DataFrame({"shop": ["unseen"], "x": [0.5]}))
    assert torch.equal(embedding(torch.from_numpy(new))[0], embedding.vectors.weight[0])


def test_rare_values_are_told_from_each_other(shops: TrialData) -> None:
    assert score(shops) < 0.7
    assert score(shops, cat_embedding=True) > 0.9


def test_together_with_numbers(shops: TrialData) -> None:
    both = {"cat_embedding": True, "num_embedding": "periodic", "num_embedding_size": 4}
    assert score(shops, **both) > 0.9


def test_a_column_fitted_before_values_were_told_apart_is_what_it_was(shops: TrialData) -> None:
    _, column = category(shops)
    content = column_to_dict(column)
    del content["apart"]
    before = column_from_dict(content)
    assert isinstance(before, Category)
    assert before == replace(column, apart=False)
    assert column.counts is not None
    assert len(before.steps) == len(set(column.counts.values())) + 1
