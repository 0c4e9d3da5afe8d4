"""Shares of GPUs, and how many trials fit."""

from fractions import Fraction

import pytest

from pipelines.cluster.resources import (
    Node,
    TrialResources,
    check_fit,
    parse_gpus,
    ray_gpus,
    read_share,
    slots_on,
    spread,
)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0", Fraction(0)),
        ("1", Fraction(1)),
        ("2", Fraction(2)),
        ("2.0", Fraction(2)),
        ("1/4", Fraction(1, 4)),
        ("0.25", Fraction(1, 4)),
        (" 0.5 ", Fraction(1, 2)),
        ("1/3", Fraction(1, 3)),
        ("0.333", Fraction(1, 3)),
        ("0.3333", Fraction(1, 3)),
        ("0.1", Fraction(1, 10)),
    ],
)
def test_a_share_is_zero_a_whole_number_or_one_part(text: str, share: Fraction) -> None:
    assert parse_gpus(text) == share


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.3", r"^0.3 is neither 1/k nor a whole number; the nearest are 1/4 \(0.25\) and 1/3"),
        ("2/3", r"the nearest are 1/2 \(0.5\) and 1$"),
        ("1.5", "^1.5 is neither 1/k nor a whole number; the nearest are 1 and 2$"),
        ("-1", "-1 is negative: give 0, a whole number, or 1/k"),
        ("abc", "'abc' is not a number: give 0, a whole number, or 1/k"),
        ("1/0", "'1/0' is not a number"),
        ("nan", "'nan' is not a number"),
        ("inf", "'inf' is not a number"),
        ("", "'' is not a number"),
        ("1/20000", "1/20000 is below 1/10000, the smallest share that Ray counts"),
    ],
)
def test_another_share_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_gpus(text)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6, 7, 9, 11, 16])
def test_as_many_shares_as_they_say_fit_on_a_gpu(k: int) -> None:
    in_ray = ray_gpus(Fraction(1, k))
    assert in_ray * k <= 1
    assert slots_on(Node("a", cpus=64, gpus=1), TrialResources(1, in_ray)) == k


@pytest.mark.parametrize(
    ("node", "cpus", "gpus", "slots"),
    [
        (Node("a", cpus=8, gpus=1), 1, 0.25, 4),
        (Node("a", cpus=8, gpus=2), 1, 0.25, 8),
        (Node("a", cpus=64, gpus=4), 1, ray_gpus(Fraction(1, 3)), 12),
        (Node("a", cpus=8, gpus=4), 1, 2, 2),
        (Node("a", cpus=8, gpus=3), 1, 2, 1),
        (Node("a", cpus=3, gpus=1), 1, 0.25, 3),
        (Node("a", cpus=8, gpus=0), 3, 0, 2),
        (Node("a", cpus=1, gpus=0), 0.1, 0, 10),
        (Node("a", cpus=8, gpus=0), 1, 0.25, 0),
        (Node("a", cpus=1, gpus=1), 2, 0, 0),
    ],
)
def test_slots(node: Node, cpus: float, gpus: float, slots: int) -> None:
    assert slots_on(node, TrialResources(cpus, gpus)) == slots


def test_no_share_spans_two_gpus() -> None:
    assert slots_on(Node("a", cpus=64, gpus=2), TrialResources(1, 0.4)) == 4  # not 5


@pytest.mark.parametrize(
    ("nodes", "gpus", "at_once", "spreads"),
    [
        ([Node("a", 8, 2)], 0.25, 8, 0.25),
        ([Node("a", 8, 2)], 0.25, 5, ray_gpus(Fraction(1, 3))),
        ([Node("a", 8, 2)], 0.25, 4, 0.5),
        ([Node("a", 8, 2)], 0.25, 2, 1.0),
        ([Node("a", 8, 2)], 0.25, 1, 1.0),
        ([Node("a", 4, 2)], 0.25, 4, 0.5),
        ([Node("a", 8, 1), Node("b", 8, 1)], 0.25, 2, 1.0),
        ([Node("a", 8, 1), Node("b", 8, 0)], 0.25, 2, 0.5),
        ([Node("a", 8, 0)], 0.25, 4, 0.25),  # the GPUs have not joined yet
        ([Node("a", 8, 2)], ray_gpus(Fraction(1, 3)), 6, ray_gpus(Fraction(1, 3))),
    ],
)
def test_trials_spread_over_all_gpus_before_they_share(
    nodes: list[Node], gpus: float, at_once: int, spreads: float
) -> None:
    assert spread(nodes, TrialResources(1, gpus), at_once) == spreads


def test_one_node_that_can_hold_a_trial_is_enough() -> None:
    check_fit([Node("small", 1, 0), Node("large", 8, 2)], TrialResources(4, 2))


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "message"),
    [
        ([], 1, 0, "^`cpus_per_trial` 1 fits on no node: the cluster has no nodes$"),
        (
            [Node("a", 2, 0), Node("b", 4, 0)],
            8,
            0,
            "^`cpus_per_trial` 8 fits on no node: a has 2 CPUs and 0 GPUs; b has 4 CPUs and 0",
        ),
        ([Node("head", 0, 0)], 1, 0, "head has 0 CPUs and 0 GPUs; workers have not joined yet: "),
        ([Node("a", 2, 0)], 1, 0.25, "^`gpus_per_trial` 0.25 fits on no node: a has 2 CPUs and 0"),
        ([Node("a", 2, 1), Node("b", 2, 1)], 1, 2, "^`gpus_per_trial` 2 fits on no node: a has"),
        (
            [Node("cpus", 8, 0), Node("gpus", 1, 1)],
            4,
            1,
            "^`cpus_per_trial` 4 with `gpus_per_trial` 1 fits on no node: cpus has 8 CPUs and 0",
        ),
    ],
)
def test_a_trial_that_fits_nowhere_is_refused(
    nodes: list[Node], cpus: float, gpus: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_fit(nodes, TrialResources(cpus, gpus))


@pytest.mark.parametrize(
    ("given", "read"), [("auto", "auto"), ("1/3", 0.3333), (0.3333, 0.3333), (0, 0.0), ("2", 2.0)]
)
def test_a_share_is_read_in_rays_units_and_stays_when_read_again(
    given: object, read: float | str
) -> None:
    assert read_share(given) == read
    assert read_share(read_share(given)) == read
