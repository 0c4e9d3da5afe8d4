"""The search spaces of the two networks: which parameters are active, and that both networks
accept every config."""

from dataclasses import fields

import numpy as np
import pytest

from search_spaces import SPACES, Choice, Config
from search_spaces.limits import LIMITS
from search_spaces.policies import policy_domains
from trainables.networks import NETWORKS
from trainables.training.optimizers import OPTIMIZERS
from trainables.training.schedules import POLICIES

CYCLES = {"triangular", "triangular2", "exp_range"}


def samples(model: str) -> list[Config]:
    rng = np.random.default_rng(0)
    return [SPACES[model].sample(rng) for _ in range(200)]


def test_every_network_has_a_space() -> None:
    assert set(SPACES) == set(NETWORKS)


@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_its_space(model: str) -> None:
    for config in samples(model):
        checked = NETWORKS[model].config.from_dict(config)
        assert {name: getattr(checked, name) for name in config} == config


@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_the_default_grid(model: str) -> None:
    for config in SPACES[model].grid():
        NETWORKS[model].config.from_dict(config)


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_what_the_limits_allow(model: str, end: int) -> None:
    base = next(SPACES[model].grid())
    known = {field.name for field in fields(NETWORKS[model].config)}
    for name in known & set(LIMITS):
        changes: Config = {name: LIMITS[name][end]}
        if name == "n_layers":
            changes |= {f"width_{i}": 8 for i in range(1, int(LIMITS[name][end]) + 1)}
        if name.startswith("width_"):
            n_layers = int(name.removeprefix("width_"))
            changes |= {f"width_{i}": 8 for i in range(1, n_layers)} | {"n_layers": n_layers}
        if name in ("base_momentum", "max_momentum"):
            changes = {"base_momentum": 0.0, "max_momentum": 0.999, **changes}
        NETWORKS[model].config.from_dict({**base, **changes})


def test_an_mlp_has_as_many_widths_as_layers() -> None:
    configs = samples("mlp")
    assert {config["n_layers"] for config in configs} == {1, 2, 3, 4, 5}
    for config in configs:
        n_layers = config["n_layers"]
        assert isinstance(n_layers, int)
        widths = {name for name in config if name.startswith("width_")}
        assert widths == {f"width_{i}" for i in range(1, n_layers + 1)}


@pytest.mark.parametrize("model", SPACES)
def test_a_config_has_the_parameters_of_its_policy_only(model: str) -> None:
    configs = samples(model)
    assert {config["policy"] for config in configs} == set(POLICIES)
    for config in configs:
        policy = config["policy"]
        moves_momentum = policy in CYCLES | {"one_cycle"}
        for name in ("base_lr_ratio", "base_momentum", "max_momentum"):
            assert (name in config) == moves_momentum
        assert ("momentum" in config) == (not moves_momentum)
        assert ("step_size" in config) == (policy in CYCLES)
        assert ("gamma" in config) == (policy == "exp_range")
        for name in ("decay_rate", "n_drops"):
            assert (name in config) == (policy == "step")


def test_both_optimizers_of_an_mlp_have_every_policy() -> None:
    pairs = {(config["optimizer"], config["policy"]) for config in samples("mlp")}
    assert pairs == {(optimizer, policy) for optimizer in OPTIMIZERS for policy in POLICIES}


def test_the_spaces_share_what_a_policy_takes() -> None:
    for name, domain in policy_domains().items():
        if name != "policy":
            assert {SPACES[model].domains[name] for model in SPACES} == {domain}


@pytest.mark.parametrize("model", SPACES)
def test_a_space_offers_every_policy_once(model: str) -> None:
    policy = SPACES[model].domains["policy"]
    assert isinstance(policy, Choice)
    assert sorted(policy.options) == sorted(POLICIES)


@pytest.mark.parametrize(("model", "size"), [("mlp", 36), ("cnn", 24)])
def test_the_default_grid_stays_affordable(model: str, size: int) -> None:
    assert SPACES[model].grid_size() == size
