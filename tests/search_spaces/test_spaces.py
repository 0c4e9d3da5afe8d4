"""The spaces of the two networks: what is active when, and that the networks take it."""

import numpy as np
import pytest

from search_spaces import SPACES, Config
from trainables.networks import TRAINABLES

CYCLES = {"triangular", "triangular2", "exp_range"}


def samples(model: str) -> list[Config]:
    rng = np.random.default_rng(0)
    return [SPACES[model].sample(rng) for _ in range(200)]


def test_every_network_has_a_space() -> None:
    assert set(SPACES) == set(TRAINABLES)


@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_its_space(model: str) -> None:
    for config in samples(model):
        checked = TRAINABLES[model].config.from_dict(config)
        assert {name: getattr(checked, name) for name in config} == config


@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_the_default_grid(model: str) -> None:
    for config in SPACES[model].grid():
        TRAINABLES[model].config.from_dict(config)


def test_an_mlp_has_as_many_widths_as_layers() -> None:
    configs = samples("mlp")
    assert {config["n_layers"] for config in configs} == {1, 2, 3, 4, 5}
    for config in configs:
        n_layers = config["n_layers"]
        assert isinstance(n_layers, int)
        widths = {name for name in config if name.startswith("width_")}
        assert widths == {f"width_{i}" for i in range(1, n_layers + 1)}


def test_an_mlp_has_momentum_with_sgd_only() -> None:
    configs = samples("mlp")
    assert {config["optimizer"] for config in configs} == {"sgd", "adamw"}
    for config in configs:
        assert ("momentum" in config) == (config["optimizer"] == "sgd")


def test_a_cnn_has_the_parameters_of_its_policy_only() -> None:
    configs = samples("cnn")
    assert {config["policy"] for config in configs} == CYCLES | {"one_cycle", "constant"}
    for config in configs:
        policy = config["policy"]
        for name in ("base_lr_ratio", "base_momentum", "max_momentum"):
            assert (name in config) == (policy != "constant")
        assert ("momentum" in config) == (policy == "constant")
        assert ("step_size" in config) == (policy in CYCLES)
        assert ("gamma" in config) == (policy == "exp_range")
