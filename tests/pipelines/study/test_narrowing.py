"""How fixed parameters, other ranges and a bound on network size change a search space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipelines.record.trials import FinishedTrial, State
from pipelines.study.narrowing import bound_parameters, for_data, narrow
from pipelines.study.prepare import resolve
from pipelines.study.spec import SpaceSettings
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import SPACES, Choice, Config, Float, Int, SearchSpace
from tests.pipelines.running import spec_of
from trainables.data.datasets import load
from trainables.networks import NETWORKS

MLP = SPACES["mlp"]


def narrowed(fix: Sequence[str] = (), ranges: Sequence[str] = ()) -> SearchSpace:
    """Narrows the space as a command line does."""
    settings = SpaceSettings.model_validate({"fix": fix, "range": ranges})
    return narrow(MLP, settings.fix, settings.range)


def samples(n: int = 100, **options: list[str]) -> list[Config]:
    space = narrowed(options.get("fix", []), options.get("range", []))
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(n)]


def test_a_fixed_parameter_has_one_value_of_its_own_type() -> None:
    configs = samples(fix=["batch_size=64", "batch_norm=false", "lr=1e-2", "n_layers=2"])
    assert {(c["batch_size"], c["batch_norm"], c["lr"], c["n_layers"]) for c in configs} == {
        (64, False, 0.01, 2)
    }
    assert all("width_3" not in config for config in configs)


def test_parameters_that_can_no_longer_be_active_leave_the_space() -> None:
    space = narrowed(["policy=one_cycle"], ["n_layers=1..3"])
    assert "momentum" not in space.domains
    assert "max_momentum" in space.domains
    assert "width_3" in space.domains
    assert "width_4" not in space.domains


def test_a_range_keeps_the_kind_of_domain() -> None:
    space = narrowed([], ["lr=1e-4..1e-1", "width_1=16..64"])
    assert space.domains["lr"] == Float(1e-4, 1e-1, log=True)
    width = space.domains["width_1"]
    assert isinstance(width, Int)
    assert (width.low, width.high, width.log) == (16, 64, True)


def test_configs_to_try_first_that_no_longer_fit_are_left_out() -> None:
    constant = narrowed(["policy=constant"], []).try_first
    assert 0 < len(constant) < len(MLP.try_first)
    assert list(constant) == [c for c in MLP.try_first if c["policy"] == "constant"]


@pytest.mark.parametrize("value", [True, False])
def test_configs_to_try_first_keep_their_own_truth_values(value: bool) -> None:
    with_it = narrowed([f"batch_norm={str(value).lower()}"]).try_first
    assert list(with_it) == [c for c in MLP.try_first if c["batch_norm"] is value]


def test_configs_to_try_first_take_a_number_that_is_fixed() -> None:
    of_64 = narrowed(["batch_size=64"], []).try_first
    assert of_64 == tuple({**c, "batch_size": 64} for c in MLP.try_first)
    momentum = narrowed(["momentum=0.5"], []).try_first  # not every policy has momentum
    assert [c.get("momentum") for c in momentum] == [
        0.5 if "momentum" in c else None for c in MLP.try_first
    ]


@pytest.mark.parametrize(
    ("fix", "ranges", "message"),
    [
        (["depth=3"], [], "`fix` depth=3: the space has no 'depth'"),
        (["lr=fast"], [], "`fix` lr=fast: 'fast' is not a number"),
        (["n_layers=2.5"], [], "`fix` n_layers=2.5: '2.5' is not a whole number"),
        (["optimizer=adam"], [], "`fix` optimizer=adam: 'adam' is none of sgd, adamw"),
        (["weight_decay=-1"], [], "`fix` weight_decay=-1: a log domain needs low > 0"),
        (["lr=0"], [], "`fix` lr=0: a log domain needs low > 0"),
        ([], ["lr=1..0.1"], "`range` lr=1..0.1: low must not be above high"),
        ([], ["activation=a..b"], "`range` activation=a..b: a choice has no range"),
        (["lr=1"], ["lr=0.1..1"], "`range` lr=0.1..1: lr is given twice"),
        (["lr=nan"], [], "`fix` lr=nan: 'nan' is not a finite number"),
        ([], ["lr=1e-3..inf"], "`range` lr=0.001..inf: 'inf' is not a finite number"),
        (
            ["n_layers=2", "width_5=100"],
            [],
            "`fix` width_5=100: width_5 needs n_layers >= 5, which the other settings rule out",
        ),
        (
            ["policy=cosine"],
            ["gamma=0.9..0.95"],
            "`range` gamma=0.9..0.95: gamma needs policy in {exp_range}, which the other settings "
            "rule out",
        ),
    ],
)
def test_what_cannot_be_is_named(fix: list[str], ranges: list[str], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole message is compared
        narrowed(fix, ranges)
    assert str(error.value).startswith(message)


def test_values_from_python_need_not_be_text() -> None:
    space = narrow(MLP, {"batch_norm": False, "n_layers": 2}, {"lr": (1e-4, 0.1)})
    assert space.domains["batch_norm"] == Choice((False,))
    assert space.domains["n_layers"] == Int(2, 2)
    assert space.domains["lr"] == Float(1e-4, 0.1, log=True)


def test_what_forbids_configs_says_so() -> None:
    bounded = bound_parameters(MLP, NETWORKS["mlp"], load("digits"), 5000)
    assert bounded.to_dict()["forbid"] == "more than 5000 parameters"
    both = bound_parameters(bounded, NETWORKS["mlp"], load("digits"), 100)
    assert both.to_dict()["forbid"] == "more than 5000 parameters, more than 100 parameters"


def test_a_bound_on_the_parameters_forbids_larger_networks() -> None:
    data = load("digits")
    network = NETWORKS["mlp"]
    space = bound_parameters(MLP, network, data, 10_000)
    assert space.forbid is not None
    rng = np.random.default_rng(0)
    forbidden = [space.forbid(config) for config in (MLP.sample(rng) for _ in range(50))]
    assert any(forbidden)
    assert not all(forbidden)


def test_the_size_of_a_network_is_that_of_its_layers() -> None:
    config = {"n_layers": 1, "width_1": 10, "lr": 0.1, "batch_norm": False}
    assert NETWORKS["mlp"].size(config, load("digits")) == 64 * 10 + 10 + 10 * 10 + 10


def test_bounds_of_both_kinds_count() -> None:
    space = replace(MLP, forbid=lambda config: config["lr"] == 1.0)
    both = bound_parameters(space, NETWORKS["mlp"], load("digits"), 1e9)
    assert both.forbid is not None
    first = dict(MLP.try_first[0])
    assert not both.forbid(first)
    assert both.forbid({**first, "lr": 1.0})


def test_zero_can_be_fixed_where_it_is_allowed_though_a_logarithm_has_none() -> None:
    space = narrowed(["weight_decay=0"], [])
    assert space.domains["weight_decay"] == Float(0.0, 0.0)
    assert len(space.try_first) == len(MLP.try_first)
    assert {config["weight_decay"] for config in space.try_first} == {0.0}
    assert {c["weight_decay"] for c in samples(fix=["weight_decay=0"])} == {0.0}
    cnn = narrow(SPACES["cnn"], {"weight_decay": 0}, {})
    assert cnn.domains["weight_decay"] == Choice((0.0,))


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_algorithm_takes_a_zero_that_is_fixed(algo: str) -> None:
    space = narrowed(["weight_decay=0", "dropout=0"], [])
    sampler = make_sampler(
        algo, Problem(replace(space, try_first=()), "max", max_trials=36), worst=0.0
    )
    for n in range(12):
        config = sampler.ask(str(n))
        assert config is not None
        assert config["weight_decay"] == 0.0
        sampler.tell(FinishedTrial(str(n), config, State.COMPLETE, value=float(config["lr"])))


@pytest.mark.parametrize("model", SPACES)
@pytest.mark.parametrize(
    ("space", "found"),
    [
        ({"range": {"max_momentum": (0.85, 0.99)}}, "up to 0.9 and max_momentum from 0.85"),
        ({"fix": {"base_momentum": 0.95}}, "up to 0.95 and max_momentum from 0.9"),
        ({"range": {"base_momentum": (0.8, 0.95)}}, "up to 0.95 and max_momentum from 0.9"),
    ],
)
def test_ranges_that_cross_are_refused(model: str, space: dict[str, Any], found: str) -> None:
    message = f"base_momentum must not be above max_momentum: the space has base_momentum {found}"
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve(spec_of(model=model, **space))


def test_ranges_that_meet_or_are_moved_together_are_not_refused() -> None:
    resolve(spec_of(range={"max_momentum": (0.9, 0.95)}))
    resolve(spec_of(fix={"base_momentum": 0.92}, range={"max_momentum": (0.92, 0.99)}))
    resolve(spec_of(fix={"policy": "constant"}))


@pytest.mark.parametrize(
    ("wide", "value"),
    [("dropout=0..1", "dropout"), ("momentum=0.5..1", "momentum"), ("gamma=0.5..1.5", "gamma")],
)
def test_both_ends_of_a_range_must_fit_the_network(wide: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"the space does not fit the MLP: {value} must be"):
        resolve(spec_of(range=[wide]))


OWN = {"trainable": "tests.pipelines.study.forbidding:train", "scheduler": "none"}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("MISSING", "raises KeyError: 'm' for kind=b"),
        ("ALL", "1000 configs in a row are forbidden by tests.pipelines.study.forbidding:<lambda>"),
    ],
)
def test_what_forbid_does_is_tried_before_the_start(space: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve(spec_of(**OWN, space=f"tests.pipelines.study.forbidding:{space}"))


def test_a_grid_may_hold_the_only_configs_that_are_allowed() -> None:
    rare = spec_of(**OWN, space="tests.pipelines.study.forbidding:ENDS_ALONE", algo="grid")
    assert resolve(rare).size == 2


def test_a_choice_stays_a_choice() -> None:
    assert narrowed(["batch_size=32"], []).domains["batch_size"] == Choice((32,))


def test_there_is_nothing_to_choose_for_what_the_data_do_not_have() -> None:
    network = NETWORKS["mlp"]
    table = for_data(MLP, network, load("wine"))
    assert table.domains["cat_embedding"] == Choice((False,))
    assert {**table.domains, "cat_embedding": 0} == {**MLP.domains, "cat_embedding": 0}
    assert table.try_first == tuple({**c, "cat_embedding": False} for c in MLP.try_first)
    images = for_data(MLP, network, load("digits"))
    assert images.domains["num_embedding"] == Choice(("none",))
    assert "frequency_scale" not in images.domains
    without = {"num_embedding": "none", "cat_embedding": False}
    gone = {name for name in MLP.domains if name not in images.domains}
    plain = [c for c in MLP.try_first if c["num_embedding"] == "none"]
    assert [c for c in images.try_first if c in plain] == plain
    assert len(plain) < len(images.try_first) < len(MLP.try_first)  # two differ in this alone
    assert all(c.items() >= without.items() and not gone & set(c) for c in images.try_first)
    assert table.idle == {"cat_embedding"}
    assert images.idle == {"num_embedding", "cat_embedding"}
    first = images.try_first[0]
    assert {**images.without_idle(first), "num_embedding": "none", "cat_embedding": False} == first
    assert not narrowed(["num_embedding=periodic", "batch_size=32"], []).idle
