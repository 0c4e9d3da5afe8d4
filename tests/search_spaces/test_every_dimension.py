"""Each dimension of a search space has an effect: it changes how the network trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from search_spaces import SPACES, Choice, Config, Int
from search_spaces.domains import Value
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS

# Small and tame: each training is quick, and none diverges.
BASE: Config = {"n_layers": 1, "n_blocks": 1, "channels": 8, "lr": 0.01, "batch_size": 32}
EPOCHS = 6
CASES = [
    *((model, name, "adamw") for model, space in SPACES.items() for name in space.domains),
    *(("mlp", name, "sgd") for name in ("weight_decay", "momentum")),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrialData]:
    """For each model a table with numbers and a large category, or images if it needs them."""
    rng = np.random.default_rng(0)
    shop, x = rng.integers(0, 60, 1200), rng.random(1200)
    kind = np.where(x + shop / 60 > 1, "dear", "cheap")
    path = Path(tmp_path_factory.mktemp("shops"), "shops.csv")
    pd.DataFrame({"shop": [f"s{n}" for n in shop], "x": x, "kind": kind}).to_csv(path, index=False)
    table, images = load(str(path), target="kind", fraction=0.3), load("digits", fraction=0.15)
    return {model: images if NETWORKS[model].needs_images else table for model in SPACES}


def configs(model: str, name: str, optimizer: str) -> list[Config]:
    """One config for each option of ``name``, or for two of its values. Apart from ``name`` they
    differ only in parameters that are active only with some of these values."""
    space = SPACES[model]
    chosen: dict[str, Value] = {n: domain.at(0.3) for n, domain in space.domains.items()}
    chosen |= {n: value for n, value in {**BASE, "optimizer": optimizer}.items() if n in chosen}
    needed = space.domains[name].when
    while needed is not None:
        parent = space.domains[needed.parent]
        assert isinstance(parent, Int | Choice)
        values = (
            parent.options if isinstance(parent, Choice) else range(parent.low, parent.high + 1)
        )
        chosen[needed.parent] = next(v for v in values if needed.holds(v))
        needed = parent.when
    domain = space.domains[name]
    tried = domain.options if isinstance(domain, Choice) else (domain.at(0.1), domain.at(0.9))
    wanted: list[Config] = [{**chosen, name: value} for value in tried]
    return [space.active_part(config) for config in wanted]


def curve(model: str, config: Config, data: TrialData) -> tuple[float, ...]:
    training = NETWORKS[model](config, data, max_epochs=EPOCHS, seed=0, device=torch.device("cpu"))
    epochs = [metrics for metrics, _ in training]
    assert not epochs[-1]["diverged"]
    return tuple(metrics["train_loss"] for metrics in epochs)


@pytest.mark.parametrize(("model", "name", "optimizer"), CASES)
def test_each_value_of_a_dimension_trains_otherwise(
    data: dict[str, TrialData], model: str, name: str, optimizer: str
) -> None:
    tried = configs(model, name, optimizer)
    assert all(name in config for config in tried)
    assert len({curve(model, config, data[model]) for config in tried}) == len(tried) > 1
