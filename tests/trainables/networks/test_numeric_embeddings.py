"""Embeddings of a table's numbers: what they compute, for which inputs, and that they help."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS, NetworkTraining
from trainables.networks.embedded_inputs import EmbeddedInputs, EmbeddedNumbers
from trainables.networks.numeric_embeddings import Periodic, PiecewiseLinear

CPU = torch.device("cpu")
VALUES: dict[str, object] = {"n_layers": 1, "width_1": 32, "lr": 3e-3, "optimizer": "adamw"}
EMBEDDINGS = ["piecewise_linear", "periodic"]


def waves(n: int = 1500) -> TrialData:
    """A target with many turns along one number, plus a flag and a number with three values."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    x[:, 1] = rng.integers(0, 2, n)
    x[:, 2] = rng.integers(0, 3, n)
    y = (np.sin(9 * x[:, 0]) + 0.2 * x[:, 1]).astype(np.float32)
    y = (y - y.mean()) / y.std()
    half = n * 2 // 3
    return TrialData(
        "waves", "regression", x[:half], y[:half], x[half:], y[half:], 1, (), "", target_std=1.0
    )


def embedding_of(data: TrialData, **values: object) -> EmbeddedInputs | None:
    _, model = NETWORKS["mlp"].build({**VALUES, **values}, data)
    return next((m for m in model.modules() if isinstance(m, EmbeddedInputs)), None)


def embedded_numbers(data: TrialData, **values: object) -> EmbeddedNumbers:
    inputs = embedding_of(data, **values)
    assert inputs is not None
    (numbers,) = [part for part in inputs.parts if isinstance(part, EmbeddedNumbers)]
    return numbers


def score(data: TrialData, **values: object) -> float:
    training = NETWORKS["mlp"]({**VALUES, **values}, data, max_epochs=20, seed=0, device=CPU)
    return max(float(metrics["val_r2"]) for metrics, _ in training)


def test_pieces_are_those_of_the_encoding() -> None:
    """Gorishniy et al. 2022, equation 1, inside the bins."""
    edges = [[-1.0, 0.0, 0.5, 2.0], [0.0, 3.0]]
    embedding = PiecewiseLinear(edges, 4)
    torch.nn.init.normal_(embedding.bins)
    x = torch.tensor([[-1.0, 0.0], [-0.3, 1.0], [0.5, 2.9], [1.7, 3.0]])
    found = embedding(x)
    for row, numbers in enumerate(x.tolist()):
        for place, value in enumerate(numbers):
            wanted = value * embedding.slope[place] + embedding.bias[place]
            for bin, (low, high) in enumerate(pairwise(edges[place])):
                share = min(max((value - low) / (high - low), 0.0), 1.0)
                wanted = wanted + share * embedding.bins[place, bin]
            assert torch.allclose(found[row, place], wanted, atol=1e-6)


def test_a_periodic_embedding_keeps_the_number() -> None:
    x = torch.randn(5, 3)
    found = Periodic(3, 4, 1.0)(x)
    assert found.shape == (5, 3, 4)
    assert torch.equal(found[:, :, 0], x)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_numbers_are_inputs_of_more_than_two_values(embedding: str) -> None:
    found = embedded_numbers(waves(), num_embedding=embedding, num_embedding_size=4)
    assert found.numbers.tolist() == [0, 2]
    assert found.others.tolist() == [1]
    assert found.width == 2 * 4 + 1
    assert found(torch.zeros(7, 3)).shape == (7, 9)


def test_few_values_have_a_bin_between_each_two() -> None:
    found = embedded_numbers(waves(), num_embedding="piecewise_linear", n_bins=8)
    assert isinstance(found.embedding, PiecewiseLinear)
    assert (found.embedding.per_width > 0).sum(1).tolist() == [8, 2]
    assert found.embedding.lower[1, :2].tolist() == [0, 1]


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_what_turns_often_is_learnt(embedding: str) -> None:
    data = waves()
    assert score(data) < 0.3
    assert score(data, num_embedding=embedding, frequency_scale=1.0) > 0.7


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_images_and_tables_without_numbers_are_taken_as_they_are(embedding: str) -> None:
    flags = waves()
    flags = replace(flags, x_train=flags.x_train[:, 1:2], x_val=flags.x_val[:, 1:2])
    for data in (load("digits"), flags):
        assert embedding_of(data, num_embedding=embedding) is None


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_a_training_goes_on_where_it_was(embedding: str) -> None:
    values = {**VALUES, "num_embedding": embedding, "dropout": 0.1}
    data = load("wine")

    def start(seed: int) -> NetworkTraining:
        return NETWORKS["mlp"](values, data, max_epochs=4, seed=seed, device=CPU)

    whole = [metrics for metrics, _ in start(1)]
    first = start(1)
    next(first)
    next(first)
    state = first.state_dict()
    again = start(2)
    again.load_state_dict(state)
    for wanted, (metrics, _) in zip(whole[2:], again, strict=True):
        assert {**metrics, "seconds": 0} == {**wanted, "seconds": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_embedding": "fourier"}, "num_embedding must be one of none, piecewise_linear"),
        ({"num_embedding_size": 1}, "num_embedding_size must be an integer of at least 2, not 1"),
        ({"n_bins": 0}, "n_bins must be an integer of at least 1, not 0"),
        ({"frequency_scale": 0.0}, "frequency_scale must be above 0, not 0.0"),
    ],
)
def test_bad_values_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NETWORKS["mlp"].build({**VALUES, **changes}, load("wine"))
