"""How many trials a search starts at a time as the cluster grows and shrinks. No trial runs."""

from __future__ import annotations

import pytest
from ray.tune.search import Searcher

from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.adapters.searcher import StudySearcher
from pipelines.tuner.attempts import Attempt, unpack
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.samplers import Problem
from pipelines.tuner.sources import RepeatedTrials, SampledTrials
from search_spaces import Float, Int, SearchSpace

SPACE = SearchSpace({"n": Int(1, 8), "lr": Float(1e-4, 1.0, log=True)})


class Cluster:
    """A cluster that has this many slots now."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def __call__(self) -> int:
        return self.slots


def search(algo: str, cluster: Cluster, trials: int = 9) -> StudySearcher:
    sampler = make_sampler(algo, Problem(SPACE, "max", max_trials=trials), worst=0.0)
    return StudySearcher(SampledTrials(sampler, trials, seed=7), cluster)


def start(searcher: StudySearcher, names: str) -> str:
    """Asks for one trial after the other, as Ray does, until one gets no config. Returns the trials
    that got one.

    A trial's name is a letter.
    """
    started = ""
    for name in names:
        if not isinstance(searcher.suggest(name), dict):
            break
        started += name
    return started


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_algorithm_follows_a_cluster_that_grows_and_shrinks(algo: str) -> None:
    cluster = Cluster(slots=0)
    searcher = search(algo, cluster)
    assert start(searcher, "abcdefghi") == ""  # no worker yet
    cluster.slots = 2
    assert start(searcher, "abcdefghi") == "ab"
    cluster.slots = 5
    assert start(searcher, "cdefghi") == "cde"
    cluster.slots = 2
    for done in "abc":
        searcher.on_trial_complete(done, {})
        assert start(searcher, "fghi") == ""  # all slots are taken
    searcher.on_trial_complete("d", {})
    assert start(searcher, "fghi") == "f"


def test_another_attempt_comes_before_a_new_config() -> None:
    searcher = search("random", Cluster(slots=1))
    assert start(searcher, "a") == "a"
    searcher.on_trial_complete("a", error=True)
    searcher.try_again({"n": 1, "lr": 0.1}, Attempt("a", machines_lost=1))
    packed = searcher.suggest("b")
    assert isinstance(packed, dict)
    assert unpack(packed) == ({"n": 1, "lr": 0.1}, Attempt("a", machines_lost=1))


def test_a_search_is_over_when_the_last_trial_may_no_more_be_tried_again() -> None:
    searcher = search("random", Cluster(slots=2), trials=1)
    assert start(searcher, "a") == "a"
    assert searcher.suggest("b") is None
    searcher.on_trial_complete("a", {})
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_trial_has_the_seed_of_the_study() -> None:
    searcher = search("random", Cluster(slots=1))
    packed = searcher.suggest("a")
    assert isinstance(packed, dict)
    config, attempt = unpack(packed)
    assert SPACE.contains(config)
    assert attempt == Attempt("a", seed=7)


def test_repeats_are_the_same_configs_with_other_seeds() -> None:
    x = FinishedTrial("x", {"n": 1, "lr": 0.1}, State.COMPLETE)
    y = FinishedTrial("y", {"n": 2, "lr": 0.1}, State.COMPLETE)
    searcher = StudySearcher(RepeatedTrials([x, y], (8, 9)), Cluster(slots=9))
    asked = []
    for name in "abcd":
        packed = searcher.suggest(name)
        assert isinstance(packed, dict)
        config, attempt = unpack(packed)
        asked.append((config["n"], attempt))
    assert asked == [
        (1, Attempt("a", seed=8, repeat_of="x")),
        (1, Attempt("b", seed=9, repeat_of="x")),
        (2, Attempt("c", seed=8, repeat_of="y")),
        (2, Attempt("d", seed=9, repeat_of="y")),
    ]
    assert searcher.suggest("e") is None
    for name in "abcd":
        searcher.on_trial_complete(name, {})
    assert searcher.suggest("e") == Searcher.FINISHED


def test_where_memory_is_short_fewer_run_at_once() -> None:
    searcher = search("random", Cluster(slots=4))
    assert start(searcher, "abcd") == "abcd"
    searcher.on_trial_complete("d", error=True)
    assert searcher.fewer() == 3
    assert start(searcher, "e") == ""
    assert searcher.following("e") is not None  # in a process that exists
    for name in "abc":
        searcher.on_trial_complete(name)
    assert start(searcher, "efgh") == "efg"


def test_one_trial_runs_however_short_memory_is() -> None:
    searcher = search("random", Cluster(slots=4))
    assert start(searcher, "a") == "a"
    searcher.on_trial_complete("a", error=True)
    assert searcher.fewer() == 0
    assert start(searcher, "bc") == "b"
