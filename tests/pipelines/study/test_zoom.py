"""How zooming in changes a search space, with histories made by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipelines.record.trials import FinishedTrial, State
from pipelines.study.zoom import Change, zoom, zoom_lines
from search_spaces import SPACES, Choice, Config, Float, Int, OneOf, SearchSpace, Value
from search_spaces.limits import LIMITS
from tests.pipelines.study.made_histories import (
    ACCURACY,
    LOSS,
    NESTED,
    extremes,
    finished,
    from_best_to_worst,
    history,
    nested,
)
from trainables.networks import NETWORKS


def column(name: str, *values: Value) -> list[FinishedTrial]:
    """Trials with a single parameter, from the best to the worst."""
    return from_best_to_worst(*({name: value} for value in values))


def zoomed(name: str, domain: Any, *values: Value) -> tuple[Any, str]:
    """The new domain of a space's only parameter if all these values are the best."""
    space, [change] = zoom(SearchSpace({name: domain}), column(name, *values), ACCURACY, quantile=1)
    assert change.new == space.domains[name]
    return space.domains[name], change.why


def test_a_range_shrinks_to_the_top_trials_and_a_little_around() -> None:
    new, why = zoomed("x", Float(0.0, 10.0), 4.0, 5.0, 6.0, 4.5, 5.5)
    assert (new.low, new.high) == (3.5, 6.5)  # a twentieth of the old range on either side
    assert why == "the top 5 of 5 trials lie in 4 .. 6"
    wider, _ = zoomed("x", Float(0.0, 10.0), 4.0, 2.0, 8.0, 4.5, 5.5)
    assert (wider.low, wider.high) == (1.4, 8.6)  # a tenth of the new one


def test_only_the_top_quantile_counts_and_five_trials_at_least() -> None:
    trials = column("x", *([0.5] * 10), *([0.2, 0.8] * 15))
    space = SearchSpace({"x": Float(0.0, 1.0)})
    assert zoom(space, trials, ACCURACY)[0].domains["x"] == Float(0.45, 0.55)
    assert zoom(space, trials, ACCURACY, 0.3)[0].domains["x"] == Float(0.14, 0.86)
    few = column("x", *([0.5] * 5), *([0.2, 0.8] * 2))
    assert zoom(space, few, ACCURACY, 0.01)[0].domains["x"] == Float(0.45, 0.55)


@pytest.mark.parametrize(("metric", "expected"), [(ACCURACY, 0.8), (LOSS, 0.2)])
def test_the_metric_says_which_trials_are_the_top(metric: Any, expected: float) -> None:
    trials = column("x", *([0.8] * 5), *([0.5] * 10), *([0.2] * 5))
    new = zoom(SearchSpace({"x": Float(0.0, 1.0)}), trials, metric)[0].domains["x"]
    assert isinstance(new, Float)
    assert (new.low, new.high) == pytest.approx((expected - 0.05, expected + 0.05))


def test_a_log_range_shrinks_in_the_logarithm() -> None:
    new, _ = zoomed("lr", Float(1e-4, 1.0, log=True), 1e-2, 1e-3, 1e-1, 1e-2, 1e-2)
    assert new.log
    assert new.low == pytest.approx(1e-3 / 10**0.2, rel=0.01)  # a tenth of two decades
    assert new.high == pytest.approx(1e-1 * 10**0.2, rel=0.01)
    units, _ = zoomed("width_1", Int(8, 512, log=True), 64, 32, 128, 64, 64)
    assert units == Int(26, 158, log=True)  # by 64 ** 0.05


def test_whole_numbers_stay_whole() -> None:
    new, _ = zoomed("n_layers", Int(1, 5), 3, 2, 3, 2, 3)
    assert new == Int(2, 3)
    assert type(new.low) is type(new.high) is int


def test_a_range_is_never_empty_where_the_top_trials_agree() -> None:
    new, why = zoomed("lr", Float(1e-4, 1.0, log=True), *[1e-2] * 5)
    assert new.low < 1e-2 < new.high
    assert why == "the top 5 of 5 trials are at 0.01"


@pytest.mark.parametrize(
    ("best", "expected"),
    [(0.7, (1e-4, 1e-1, 100.0)), (1.3e-4, (1e-6, 1e-4, 0.2))],
    ids=["upper", "lower"],
)
def test_a_range_is_widened_beyond_the_edge_that_the_best_is_at(
    best: float, expected: tuple[float, float, float]
) -> None:
    least, inner, most = expected
    new, why = zoomed("lr", Float(1e-4, 1.0, log=True), best, 0.1, 0.1, 0.1, 0.1)
    assert f"best {best:g} within 5% of the {'upper' if best > 0.1 else 'lower'} edge" in why
    assert why.endswith("widened")
    if best > 0.1:
        assert new.high == pytest.approx(most)  # by half of four decades
        assert 1e-2 < new.low < inner  # while the other edge moves in
    else:
        assert new.low == pytest.approx(least)
        assert 0.1 < new.high < most


def test_only_the_best_widens() -> None:
    new, why = zoomed("lr", Float(1e-4, 1.0, log=True), 0.1, 1.0, 1.0, 1e-4, 1e-4)
    assert (new.low, new.high) == (1e-4, 1.0)
    assert "edge" not in why


def test_a_range_of_whole_numbers_is_widened_by_one_at_least() -> None:
    assert zoomed("n_blocks", Int(1, 2), 2, 2, 1, 1, 1)[0] == Int(1, 3)
    assert zoomed("n_blocks", Int(1, 4), 4, 3, 2, 2, 3)[0] == Int(2, 6)
    assert zoomed("n_blocks", Int(2, 3), 2, 2, 3, 3, 3)[0] == Int(1, 3)


@pytest.mark.parametrize(
    ("name", "domain", "best", "expected"),
    [
        ("dropout", Float(0.0, 0.5), 0.01, 0.0),
        ("dropout", Float(0.0, 0.8), 0.79, 0.9),
        ("dropout", Float(0.0, 0.5), 0.5, 0.75),
        ("momentum", Float(0.8, 0.99), 0.985, 0.999),
        ("gamma", Float(0.8, 0.99), 0.99, 1.0),
        ("n_layers", Int(1, 5), 5, 5),
        ("n_layers", Int(1, 3), 3, 4),
        ("n_blocks", Int(1, 6), 6, 6),
        ("lr", Float(1e-3, 50.0, log=True), 50.0, 100.0),
        ("lr", Float(1e-3, 1.0), 1e-3, 1e-8),
        ("width_1", Int(8, 512, log=True), 8, 1),
        ("weight_decay", Float(1e-6, 1e-2, log=True), 1e-6, 1e-8),
        ("dropout", Float(0.0, 0.95), 0.94, 0.95),  # already wider than makes sense
    ],
)
def test_no_range_is_widened_beyond_its_limits(
    name: str, domain: Any, best: Value, expected: float
) -> None:
    middle = domain.at(0.5)
    new, why = zoomed(name, domain, best, middle, middle, middle, middle)
    low, high = float(domain.low), float(domain.high)
    upper = float(best) > float(middle)
    assert (new.high if upper else new.low) == pytest.approx(expected)
    widened = expected > high if upper else expected < low
    assert why.endswith("widened" if widened else "kept, because it cannot go further")


def test_a_parameter_without_limits_is_not_widened() -> None:
    new, why = zoomed("x", Float(0.0, 1.0), 0.99, 0.5, 0.5, 0.5, 0.5)
    assert (new.low, new.high) == (pytest.approx(0.45, abs=0.01), 1.0)
    assert why.endswith("best 0.99 within 5% of the upper edge: widen it by hand")


def test_the_limits_can_be_given() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0)})
    trials = column("x", 1.0, 0.5, 0.5, 0.5, 0.5)
    new = zoom(space, trials, ACCURACY, limits={"x": (0.0, 1.25)})[0].domains["x"]
    assert isinstance(new, Float)
    assert new.high == 1.25


@pytest.mark.parametrize("swapped", [False, True])
def test_momenta_of_which_one_is_the_larger_never_cross(swapped: bool) -> None:
    names = ["base_momentum", "max_momentum"]
    domains = {"base_momentum": Float(0.8, 0.85), "max_momentum": Float(0.88, 0.98)}
    order = names[::-1] if swapped else names
    space = SearchSpace({name: domains[name] for name in order})
    best: Config = {name: 0.85 if name == "base_momentum" else 0.88 for name in order}
    new = zoom(space, from_best_to_worst(*[best] * 5), ACCURACY)[0].domains
    base, most = new["base_momentum"], new["max_momentum"]
    assert isinstance(base, Float)
    assert isinstance(most, Float)
    assert base.high <= most.low
    assert base.high > 0.85 or most.low < 0.88


CHOICE = Choice(("a", "b", "c", "d"))


def test_an_option_that_was_tried_and_is_in_no_top_trial_is_dropped() -> None:
    trials = column("kind", *"abaaba", *"cccdd", *"aabbaabbaa")
    space, [change] = zoom(SearchSpace({"kind": CHOICE}), trials, ACCURACY)
    assert space.domains["kind"] == Choice(("a", "b", "d"))
    assert change.why == (
        "none of the top 6 of 21 trials has c: dropped; fewer than 3 trials had d: kept"
    )


def test_options_that_the_top_trials_have_stay_in_their_order() -> None:
    new, why = zoomed("kind", CHOICE, "d", "c", "b", "a", "a")
    assert new == CHOICE
    assert why == "the top 5 of 5 trials have every option: kept"


def test_parameters_that_can_no_longer_be_active_are_left_out_and_listed() -> None:
    top = [nested("step", 2), nested("plain", 3), nested("step", 3)]
    trials = from_best_to_worst(*top, *top[:2], *[nested("wave", 4)] * 5)
    space, changes = zoom(NESTED, trials, ACCURACY)
    assert space.domains["n_layers"] == Int(2, 3)
    assert space.domains["kind"] == Choice(("plain", "step"))
    left_out = {change.name: change for change in changes if change.new is None}
    assert set(left_out) == {"width_4", "phase"}
    assert {change.why for change in left_out.values()} == {
        "never active in the new space: left out"
    }
    assert [change.name for change in changes] == list(NESTED.domains)
    assert space.grid_levels == {"kind": 3}
    assert space.try_first == ()
    assert space.domains["height"].when == NESTED.domains["height"].when
    rng = np.random.default_rng(0)
    assert all(space.contains(space.sample(rng)) for _ in range(50))


def test_a_parameter_that_few_of_the_top_trials_have_is_kept() -> None:
    trials = from_best_to_worst(*[nested("wave", 3)] * 2, *[nested("step", 2)] * 3)
    space, changes = zoom(NESTED, trials, ACCURACY)
    assert space.domains["phase"] == NESTED.domains["phase"]
    why = {change.name: change.why for change in changes}
    assert why["phase"] == "too few of the top 5 trials have it: kept"
    assert space.domains["height"] != NESTED.domains["height"]
    third = from_best_to_worst(*[nested("wave", 3)] * 3, *[nested("step", 2)] * 2)
    space, changes = zoom(NESTED, third, ACCURACY)
    assert space.domains["phase"] != NESTED.domains["phase"]
    why = {change.name: change.why for change in changes}
    assert why["phase"] == "the 3 that have it of the top 5 of 5 trials are at 0.5"


def test_the_best_that_has_a_parameter_decides_on_its_edges() -> None:
    space = SearchSpace(
        {
            "optimizer": Choice(("sgd", "adamw")),
            "momentum": Float(0.8, 0.9, when=OneOf("optimizer", ("sgd",))),
        }
    )
    sgd: list[Config] = [{"optimizer": "sgd", "momentum": v} for v in (0.9, 0.85, 0.85, 0.85)]
    new = zoom(space, from_best_to_worst({"optimizer": "adamw"}, *sgd), ACCURACY)[0]
    momentum = new.domains["momentum"]
    assert isinstance(momentum, Float)
    assert momentum.high == pytest.approx(0.95)
    assert momentum.when == OneOf("optimizer", ("sgd",))


def test_a_parameter_with_one_value_keeps_it() -> None:
    assert zoomed("lr", Float(0.1, 0.1, log=True), *[0.1] * 5) == (
        Float(0.1, 0.1, log=True),
        "has one value only: kept",
    )


def test_a_parameter_that_the_data_leave_no_choice_for_is_kept_but_not_listed() -> None:
    space = SearchSpace(
        {"x": Float(0.0, 1.0), "kind": Choice(("none",))}, if_missing={"kind": "none"}
    )
    configs: list[Config] = [{"x": x / 10, "kind": "none"} for x in range(5)]
    new, changes = zoom(space, from_best_to_worst(*configs), ACCURACY)
    assert list(new.domains) == ["x", "kind"]
    assert [change.name for change in changes] == ["x"]


def test_diverged_and_failed_trials_never_count() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0), "kind": Choice(("a", "b"))})
    near: Config = {"x": 0.5, "kind": "a"}
    far: Config = {"x": 1.0, "kind": "b"}
    sound = from_best_to_worst(*[near] * 6)
    lost = [
        finished("d", far, 5.0, state=State.PRUNED, stopped_by="divergence"),
        finished("f", far, 5.0, state=State.FAIL),
        replace(finished("n", far, 5.0), value=None),
    ] * 4
    assert zoom(space, [*lost, *sound], ACCURACY) == zoom(space, sound, ACCURACY)
    assert zoom(space, [*sound, *lost], ACCURACY)[0].domains["x"] == Float(0.45, 0.55)
    stopped = [replace(t, state=State.PRUNED, stopped_by="scheduler") for t in sound]
    assert zoom(space, stopped, ACCURACY) == zoom(space, sound, ACCURACY)


def test_trials_that_the_space_does_not_contain_never_count() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0)})
    sound = column("x", *[0.5] * 5)
    others = [finished("far", {"x": 7.0}, 5.0), finished("else", {"y": 1}, 5.0)]
    assert zoom(space, [*others, *sound], ACCURACY) == zoom(space, sound, ACCURACY)


def test_too_few_trials_are_an_error_that_counts_them() -> None:
    trials = column("x", *[0.5] * 4)
    trials.append(finished("d", {"x": 0.5}, 0.0, stopped_by="divergence"))
    with pytest.raises(ValueError, match=r"zooming in needs 5 .* there are 4 among 5; search with"):
        zoom(SearchSpace({"x": Float(0.0, 1.0)}), trials, ACCURACY)


@pytest.mark.parametrize("quantile", [0.0, -1.0, 1.5, math.nan])
def test_a_quantile_is_a_share(quantile: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        zoom(SearchSpace({"x": Float(0.0, 1.0)}), column("x", *[0.5] * 9), ACCURACY, quantile)


def check_samples(model: str, space: SearchSpace, changes: list[Change]) -> None:
    rng = np.random.default_rng(1)
    for config in (space.sample(rng) for _ in range(200)):
        NETWORKS[model].config.from_dict(config)
        assert space.contains(config)
    assert [change.name for change in changes] == list(SPACES[model].domains)
    assert all(change.why for change in changes)
    assert {change.name for change in changes if change.new} == set(space.domains)
    for change in changes:
        assert change.new is None or type(change.new) is type(change.old)
        assert change.new is None or change.new.when == change.old.when


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_a_zoomed_space(model: str, seed: int) -> None:
    check_samples(model, *zoom(SPACES[model], history(SPACES[model], seed), ACCURACY))


def check_limits(space: SearchSpace) -> None:
    for name, domain in space.domains.items():
        if not isinstance(domain, Choice):
            low, high = LIMITS[name]
            assert low <= domain.low <= domain.high <= high


@pytest.mark.parametrize("edge", [0.0, 1.0])
@pytest.mark.parametrize("model", SPACES)
def test_a_network_takes_every_config_of_a_space_widened_again_and_again(
    model: str, edge: float
) -> None:
    space = SPACES[model]
    for _ in range(4):
        space = zoom(space, extremes(space, edge), ACCURACY)[0]
        check_limits(space)
    rng = np.random.default_rng(1)
    for config in (space.sample(rng) for _ in range(200)):
        NETWORKS[model].config.from_dict(config)


@pytest.mark.parametrize("model", SPACES)
def test_the_limits_hold_the_ranges_that_are_searched(model: str) -> None:
    check_limits(SPACES[model])


def test_the_table_is_aligned() -> None:
    changes = zoom(NESTED, from_best_to_worst(*[nested("step", 2)] * 5), ACCURACY)[1]
    head, *rows = zoom_lines(changes)
    assert head.split() == ["parameter", "old", "new", "why"]
    assert len(rows) == len(NESTED.domains)
    for row, change in zip(rows, changes, strict=True):
        assert row[head.index("parameter") :].startswith(change.name)
        assert row[head.index("old") :].startswith(str(change.old))
        assert row[head.index("why") :] == change.why
    new = {row.split()[0]: row[head.index("new") : head.index("why")].strip() for row in rows}
    assert new["width_4"] == "-"
    assert new["kind"] == "same"
    assert new["width_2"] == "33 .. 39"


def test_one_long_list_of_options_widens_no_other_line_of_the_table() -> None:
    policy = SPACES["mlp"].domains["policy"]
    other = Change("a", Float(0.0, 1.0), Float(0.0, 0.5), "why")
    _, row, _ = zoom_lines([other, Change("policy", policy, policy, "kept")])
    assert row.index("why") < 70
