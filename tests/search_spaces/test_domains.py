"""Domains, conditions and the spaces that hold them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from search_spaces import AtLeast, Choice, Config, Float, Int, OneOf, SearchSpace, Value
from search_spaces.domains import Condition, Domain

NESTED = SearchSpace(
    {
        "kind": Choice(("none", "tree")),
        "depth": Int(0, 3, when=OneOf("kind", ("tree",))),
        "shape": Choice(("round", "long"), when=AtLeast("depth", 2)),
        "bend": Float(1e-6, 1e2, log=True, when=OneOf("shape", ("long",))),
    }
)
DEEPEST: Config = {"kind": "tree", "depth": 2, "shape": "long", "bend": 1.0}

# Single values (also as parents, also with whole-number bounds), fewer values than levels, and a
# range so narrow that its levels meet.
NASTY = SearchSpace(
    {
        **NESTED.domains,
        "only": Choice(("one",)),
        "fixed": Int(7, 7, when=OneOf("only", ("one",))),
        "point": Float(1, 1, when=AtLeast("fixed", 7)),
        "flag": Choice((True, False)),
        "count": Int(1, 10**8, log=True, when=OneOf("flag", (True,))),
        "pair": Int(1, 2),
        "narrow": Float(1.0, float(np.nextafter(1.0, 2.0))),
    }
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(2.0, 1.0), "low must not be above high: 2.0 > 1.0"),
        (lambda: Int(2, 1), "low must not be above high: 2 > 1"),
        (lambda: Float(0.0, 1.0, log=True), "a log domain needs low > 0, not 0.0"),
        (lambda: Int(0, 8, log=True), "a log domain needs low > 0, not 0"),
        (lambda: Float(0.0, float("inf")), "bounds must be finite, not 0.0 and inf"),
        (lambda: Float(float("nan"), 1.0), "bounds must be finite, not nan and 1.0"),
        (lambda: Choice(()), "a choice needs at least one option"),
        (lambda: Choice(("a", "a")), "a choice must not repeat an option"),
        (lambda: Choice((1, True)), "a choice must not repeat an option"),
        (lambda: Choice((None,)), "an option must be a bool, int, float or str, not None"),  # type: ignore[arg-type]
        (lambda: Choice((0.5, float("inf"))), "an option must be finite, not inf"),
        (lambda: Int(1.0, 10.0), "bounds must be whole numbers, not 1.0 and 10.0"),  # type: ignore[arg-type]
        (lambda: Int(True, 3), "bounds must be whole numbers, not True and 3"),
        (lambda: Float("0", 1), "bounds must be numbers, not '0' and 1"),  # type: ignore[arg-type]
        (lambda: Float(0, 1e30), r"bounds must be below 2\*\*63 in size, not 0 and 1e\+30"),
        (
            lambda: Int(2**62, 2**62 + 9),
            "bounds must differ as floating-point numbers",
        ),
        (lambda: Float(1e-300, 1e10, log=True), "low is too small for a log domain up to 1"),
        (lambda: Float(1e-3, 1, log=1), "log must be True or False, not 1"),  # type: ignore[arg-type]
        (lambda: Choice(([1],)), r"an option must be a bool, int, float or str, not \[1\]"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_domain_is_refused(make: Callable[[], Domain], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneOf("o", "sgd"), r"options must be a list, not 'sgd': write \('sgd',\)"),  # type: ignore[arg-type]
        (lambda: OneOf("o", True), r"options must be a list, not True: write \(True,\)"),  # type: ignore[arg-type]
        (lambda: OneOf("o", ()), "a condition needs at least one option"),
        (lambda: OneOf("o", (["a"],)), r"an option must be a bool, int, float or str, not \['a'\]"),  # type: ignore[arg-type]
        (lambda: OneOf("o", (1, True)), "a condition must not repeat an option"),
        (lambda: Choice("sgd"), r"options must be a list, not 'sgd': write \('sgd',\)"),  # type: ignore[arg-type]
        (lambda: AtLeast("flag", True), "the bound of flag must be a whole number, not True"),
        (lambda: AtLeast("n", 1.5), "the bound of n must be a whole number, not 1.5"),  # type: ignore[arg-type]
        (lambda: AtLeast("n", "2"), "the bound of n must be a whole number, not '2'"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_condition_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_options_may_be_numbers_of_numpy() -> None:
    options = Choice((*np.array([16, 32]), np.float64(0.5), *np.array([True]))).options
    assert options == (16, 32, 0.5, True)
    assert [type(option) for option in options] == [int, int, float, bool]


def test_bounds_may_be_numbers_of_numpy() -> None:
    whole = Int(np.int64(1), np.uint8(10))  # type: ignore[arg-type]
    real = Float(np.float32(0.5), np.float64(2.0))  # type: ignore[arg-type]
    assert (whole, real) == (Int(1, 10), Float(0.5, 2.0))
    bounds = (whole.low, whole.high, real.low, real.high)
    assert [type(bound) for bound in bounds] == [int, int, float, float]
    with pytest.raises(ValueError, match=r"bounds must be whole numbers, not 1\.0 and 3"):
        Int(np.float64(1), 3)  # type: ignore[arg-type]


def test_options_may_be_given_as_a_list() -> None:
    assert Choice(["a", "b"]) == Choice(("a", "b"))  # type: ignore[arg-type]
    assert OneOf("o", ["a", "b"]) == OneOf("o", ("a", "b"))  # type: ignore[arg-type]
    assert hash(OneOf("o", ["a"])) == hash(OneOf("o", ("a",)))  # type: ignore[arg-type]


def test_levels_are_equally_spaced() -> None:
    assert Float(0.0, 1.0).levels(3) == pytest.approx([0.0, 0.5, 1.0])
    assert Float(1e-4, 1.0, log=True).levels(5) == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1.0])
    assert Int(8, 512, log=True).levels(4) == [8, 32, 128, 512]
    assert Int(1, 9).levels(3) == [1, 5, 9]


@pytest.mark.parametrize(
    ("text", "option"), [("0", 0.0), ("0.0", 0.0), ("1e-4", 1e-4), ("64.0", 64), ("none", "none")]
)
def test_an_option_may_be_typed_as_any_number_that_equals_it(text: str, option: Value) -> None:
    found = Choice((1e-4, 0.0, 64, "none")).parse(text)
    assert found == option
    assert type(found) is type(option)


@pytest.mark.parametrize(
    ("text", "option"), [("01", "01"), ("1", "01"), ("0.001", "1e-3"), ("4", 4), ("04", 4)]
)
def test_an_option_that_is_text_may_look_like_a_number(text: str, option: Value) -> None:
    assert Choice(("01", "1e-3", "x", 4)).parse(text) == option


def test_a_number_that_several_texts_stand_for_is_none_of_them() -> None:
    with pytest.raises(ValueError, match="'1' is none of 01, 001"):
        Choice(("01", "001")).parse("1")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused_as_such(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a finite number"):
        Float(0, 1).parse(text)


@pytest.mark.parametrize("text", ["1", "0", "nan", "inf", ""])
def test_a_number_is_no_truth_value_and_no_word(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is none of True, False, 2, one"):
        Choice((True, False, 2, "one")).parse(text)


def test_one_level_is_the_middle_or_the_first_option() -> None:
    assert Float(1e-4, 1.0, log=True).levels(1) == pytest.approx([1e-2])
    assert Int(1, 9).levels(1) == [5]
    assert Choice(("b", "a", "c")).levels(1) == ["b"]


def test_levels_are_no_more_than_the_values_there_are() -> None:
    assert Int(1, 3).levels(10) == [1, 2, 3]
    assert Int(1, 4, log=True).levels(10) == [1, 2, 3, 4]
    assert Choice(("a", "b")).levels(10) == ["a", "b"]
    assert Float(0.5, 0.5).levels(10) == [0.5]


@pytest.mark.parametrize("domain", [Float(1, 1), Float(0, 2), Int(3, 3), Choice((False,))])
def test_levels_lie_in_the_domain_whatever_its_bounds_are_written_as(domain: Domain) -> None:
    assert all(domain.contains(level) for level in domain.levels(3))


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        (Float(1e-8, 1.0, log=True), float),
        (Float(-3, 3), float),
        (Float(2, 2), float),
        (Int(1, 10**8, log=True), int),
        (Int(-3, 3), int),
        (Choice((True, False)), bool),
        (Choice(("a", "b")), str),
    ],
)
def test_draws_lie_in_the_domain_and_are_of_python_type(domain: Domain, kind: type) -> None:
    rng = np.random.default_rng(0)
    drawn = [domain.at(rng.random()) for _ in range(500)]
    assert all(domain.contains(value) and type(value) is kind for value in drawn)


def test_a_log_range_is_drawn_evenly_over_its_decades() -> None:
    rng = np.random.default_rng(0)
    for domain in (Float(1e-8, 1.0, log=True), Int(1, 10**8, log=True)):
        exponents = np.log10([domain.at(rng.random()) for _ in range(4000)])
        per_decade = np.histogram(exponents - exponents.min(), bins=8)[0]
        assert per_decade.min() > 350  # of 500 expected: six standard deviations below


def test_the_ends_of_an_int_are_as_likely_as_the_rest() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(Int(1, 4).at(rng.random()) for _ in range(4000))
    assert set(drawn) == {1, 2, 3, 4}
    assert min(drawn.values()) > 850  # of 1000 expected


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (Int(0, 5), True),
        (Int(0, 5), 2.0),
        (Int(0, 5), np.int64(2)),
        (Int(0, 5), 6),
        (Float(0.0, 5.0), 2),
        (Float(0.0, 5.0), True),
        (Float(0.0, 5.0), "2"),
        (Float(0.0, 5.0), float("nan")),
        (Float(0.0, 5.0), -0.1),
        (Choice((1, 2)), True),
        (Choice((1, 2)), 1.0),
        (Choice(("a",)), "b"),
        (Choice(("a",)), None),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_not_contained(
    domain: Domain, value: object
) -> None:
    assert not domain.contains(value)


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "none"},
        {"kind": "tree", "depth": 1},
        {"kind": "tree", "depth": 2, "shape": "round"},
        DEEPEST,
    ],
)
def test_a_config_holds_its_active_parameters(config: Config) -> None:
    assert NESTED.contains(config)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"kind": "tree"},
        {"kind": "none", "depth": 1},
        {"kind": "tree", "depth": 1, "shape": "round"},
        {"kind": "tree", "depth": 2, "shape": "round", "bend": 1.0},
        {"kind": "tree", "depth": 2, "shape": "long"},
        {**DEEPEST, "colour": "red"},
        {**DEEPEST, "bend": 1e3},
        {**DEEPEST, "depth": 2.0},
    ],
)
def test_a_config_with_a_parameter_too_many_or_too_few_is_not_contained(
    config: dict[str, object],
) -> None:
    assert not NESTED.contains(config)


def test_an_inactive_parent_makes_its_children_inactive() -> None:
    assert NESTED.is_active("bend", DEEPEST)
    assert not NESTED.is_active("bend", {"kind": "none"})
    assert not NESTED.is_active("bend", {"kind": "tree", "depth": 2, "shape": "round"})


def test_walk_asks_for_the_active_parameters_in_order() -> None:
    asked = []

    def choose(name: str, domain: Domain) -> Value:
        asked.append(name)
        assert domain is NESTED.domains[name]
        return DEEPEST[name]

    assert NESTED.walk(choose) == DEEPEST
    assert asked == ["kind", "depth", "shape", "bend"]


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({}, "a search space needs at least one parameter"),
        (
            {"width": Int(1, 2, when=AtLeast("layers", 1)), "layers": Int(1, 2)},
            "width depends on 'layers', which must stand before it",
        ),
        (
            {"width": Int(1, 2, when=AtLeast("unknown", 1))},
            "width depends on 'unknown', which must stand before it",
        ),
        (
            {"width": Int(1, 2, when=AtLeast("width", 1))},
            "width depends on 'width', which must stand before it",
        ),
        (
            {"lr": Float(0.0, 1.0), "width": Int(1, 2, when=AtLeast("lr", 1))},
            "width depends on 'lr', which must be an Int or a Choice",
        ),
        (
            {"on": Choice((False, True)), "lr": Float(0.0, 1.0, when="on")},  # type: ignore[arg-type]
            "lr needs an AtLeast or a OneOf as `when`, not 'on'",
        ),
        ({1: Int(1, 2)}, "the name of a parameter must be a string, not 1"),
        ({"x": (0, 1)}, r"x must be a Float, an Int or a Choice, not \(0, 1\)"),
        (
            {"layers": Int(1, 2), "width": Int(1, 2, when=AtLeast("layers", 3))},
            "width can never be active: no value satisfies layers >= 3",
        ),
        (
            {"kind": Choice(("a", "b")), "width": Int(1, 2, when=OneOf("kind", ("c", "d")))},
            r"width can never be active: no value satisfies kind in \{c, d\}",
        ),
        (
            {"n": Int(1, 9), "x": Int(1, 2, when=OneOf("n", (0, 2.5, 10, "3")))},
            r"x can never be active: no value satisfies n in \{0, 2.5, 10, 3\}",
        ),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(
    domains: Mapping[str, Domain], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSpace(domains)


@pytest.mark.parametrize(
    "when", [AtLeast("n", 2**61), OneOf("n", (2**61,)), OneOf("n", (0, 3.0)), OneOf("n", (True,))]
)
def test_a_parent_may_have_more_values_than_the_memory_could_hold(when: Condition) -> None:
    space = SearchSpace({"n": Int(1, 2**62), "x": Float(0.0, 1.0, when=when)})
    assert "x" in space.replace({"n": Int(1, 2**62, log=True)}).domains
    assert "x" not in space.replace({"n": Int(4, 2**60)}).domains


def keys(configs: list[Config]) -> set[tuple[tuple[str, Value], ...]]:
    return {tuple(config.items()) for config in configs}


@pytest.mark.parametrize("space", [NESTED, NASTY])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_grid_has_as_many_distinct_configs_as_it_says(space: SearchSpace, n: int) -> None:
    levels = dict.fromkeys(space.domains, n)
    configs = list(space.grid(levels))
    assert len(configs) == len(keys(configs)) == space.grid_size(levels)
    assert all(space.contains(config) for config in configs)


def test_a_grid_is_every_combination_of_what_is_active_together() -> None:
    levels = {"depth": 4, "bend": 5}
    configs = list(NESTED.grid(levels))
    # none; depth 0 and 1; depth 2 and 3, each round or long with 5 bends
    assert len(configs) == 1 + 2 + 2 * (1 + 5)
    assert {config.get("depth") for config in configs} == {None, 0, 1, 2, 3}


def test_the_size_of_a_grid_is_counted_without_making_it() -> None:
    space = SearchSpace({f"x{i}": Float(0.0, 1.0) for i in range(30)})
    assert space.grid_size(dict.fromkeys(space.domains, 10)) == 10**30


@pytest.mark.parametrize(
    ("domains", "n"),
    [
        ({"a": Choice((1, 2, 5)), "b": Int(1, 4), "c": Float(0.1, 0.1)}, 12),
        ({"n": Int(1, 3, log=True), "b": Choice((1, 2), when=AtLeast("n", 2))}, 5),
        ({"a": Choice((1, 2)), "b": Float(0.1, 0.2)}, None),
        ({"a": Choice((1, 2)), "b": Int(1, 2**62)}, None),
    ],
)
def test_configs_are_counted_where_they_can_be(domains: dict[str, Domain], n: int | None) -> None:
    assert SearchSpace(domains).n_configs(most=40) == n


def test_grid_levels_leave_one_level_to_the_rest() -> None:
    domains: dict[str, Domain] = {"a": Float(0.0, 1.0), "b": Float(0.0, 1.0)}
    assert SearchSpace(domains).grid_size() == 3 * 3
    assert SearchSpace(domains, grid_levels={"a": 4}).grid_size() == 4
    assert SearchSpace(domains, grid_levels={"a": 4}).grid_size({"b": 2}) == 4 * 2


def test_levels_of_an_unknown_parameter_or_below_one_are_refused() -> None:
    unknown = "no parameter 'lr' in the space: it has kind, depth, shape, bend"
    with pytest.raises(ValueError, match=unknown):
        NESTED.grid({"lr": 3})
    with pytest.raises(ValueError, match=unknown):
        SearchSpace(NESTED.domains, grid_levels={"lr": 3})
    with pytest.raises(ValueError, match="depth needs at least 1 level, not 0"):
        NESTED.grid_size({"depth": 0})
    for levels in (0, 2.0, True):
        with pytest.raises(ValueError, match=f"depth needs a whole number of levels.*not {levels}"):
            SearchSpace(NESTED.domains, grid_levels={"depth": levels})  # type: ignore[dict-item]


def test_what_forbid_raises_is_said_with_the_config() -> None:
    space = replace(NESTED, forbid=lambda config: config["depth"] == 3)
    assert not space.forbids(DEEPEST)
    assert not NESTED.forbids(DEEPEST)
    with pytest.raises(ValueError, match=r"<lambda>.* raises KeyError: 'depth' for kind=none$"):
        space.forbids({"kind": "none"})


@pytest.mark.parametrize("space", [NESTED, NASTY])
def test_random_configs_are_contained(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    configs = [space.sample(rng) for _ in range(300)]
    assert all(space.contains(config) for config in configs)
    assert set(space.domains) == {name for config in configs for name in config}
