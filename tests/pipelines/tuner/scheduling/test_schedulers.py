"""The schedulers get numbers: which trials go on and which stop. No trial runs."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from pipelines.tuner.scheduling.exploring import explorer
from pipelines.tuner.scheduling.schedulers import (
    SCHEDULERS,
    StoppingRules,
    check_scheduler,
    ends_cycle,
    rungs,
)
from search_spaces import SPACES, Choice, Float, Int, SearchSpace
from trainables.networks import NETWORKS
from trainables.training.metrics import METRICS

CONTINUE, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP


@dataclass(frozen=True)
class StubTrial:
    trial_id: str
    config: dict[str, Any] = field(default_factory=dict, compare=False)


class Fed:
    """A scheduler, and the metric with which it is fed."""

    def __init__(self, name: str, rules: StoppingRules) -> None:
        self._metric = rules.metric
        self._scheduler: Any = SCHEDULERS[name].make(rules)
        self._trials: dict[str, StubTrial] = {}

    def report(self, trial_id: str, epoch: int, value: float, **more: Any) -> Any:
        """Reports an epoch; ``more`` is reported too."""
        return self._scheduler.on_trial_result(
            None, self._trial(trial_id), {"epoch": epoch, self._metric: value, **more}
        )

    def end(self, trial_id: str, epoch: int, value: float) -> None:
        """Ends a trial, as Ray tells the scheduler if the trial itself says that it is done."""
        self._scheduler.on_trial_complete(
            None, self._trial(trial_id), {"epoch": epoch, self._metric: value}
        )

    def rungs(self) -> dict[float, list[float]]:
        """The rungs of ASHA, with the scores recorded there."""
        (bracket,) = self._scheduler._brackets
        return {milestone: list(recorded.values()) for milestone, recorded in bracket._rungs}

    def take(self, scheduler: TrialScheduler) -> None:
        """Replaces our scheduler by another one."""
        self._scheduler = scheduler

    def add(self, trial_id: str, config: dict[str, Any]) -> None:
        self._trials[trial_id] = StubTrial(trial_id, config)
        self._scheduler.on_trial_add(None, self._trials[trial_id])

    def _trial(self, trial_id: str) -> StubTrial:
        if trial_id not in self._trials:
            self._trials[trial_id] = StubTrial(trial_id)
            self._scheduler.on_trial_add(None, self._trials[trial_id])
        return self._trials[trial_id]


def asha(metric: str = "val_accuracy", **more: Any) -> Fed:
    return Fed("asha", StoppingRules(metric, METRICS[metric].mode, **{"max_epochs": 27, **more}))


@pytest.mark.parametrize("name", [name for name, kind in SCHEDULERS.items() if not kind.pauses])
@pytest.mark.parametrize("metric", METRICS)
def test_the_best_trial_goes_on(name: str, metric: str) -> None:
    good, bad = (0.9, 0.1) if METRICS[metric].mode == "max" else (0.1, 0.9)
    fed = Fed(name, StoppingRules(metric, METRICS[metric].mode, max_epochs=27))
    for n in range(5):
        fed.report(f"bad {n}", 1, bad)
    assert [fed.report("good", epoch, good) for epoch in range(1, 27)] == [CONTINUE] * 26


@pytest.mark.parametrize("metric", METRICS)
def test_asha_stops_a_bad_trial_at_a_rung(metric: str) -> None:
    good, bad = (0.9, 0.1) if METRICS[metric].mode == "max" else (0.1, 0.9)
    fed = asha(metric)
    for n in range(3):
        assert fed.report(f"good {n}", 1, good) == CONTINUE
    assert fed.report("bad", 1, bad) == STOP


def test_no_scheduler_stops_nothing() -> None:
    fed = Fed("none", StoppingRules("val_accuracy", "max", max_epochs=9))
    for n in range(3):
        fed.report(f"good {n}", 1, 0.9)
    assert [fed.report("bad", epoch, 0.1) for epoch in range(1, 9)] == [CONTINUE] * 8


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_one_in_so_many_goes_on_from_a_rung(factor: int) -> None:
    fed = asha(reduction_factor=factor)
    values = np.random.default_rng(0).uniform(size=400)
    goes_on = [v for n, v in enumerate(values) if fed.report(str(n), 1, v) == CONTINUE]
    # The first few go on too easily: there is little to compare them with.
    assert 0.95 / factor < len(goes_on) / len(values) < 1.2 / factor + 0.02


def test_between_rungs_a_trial_goes_on() -> None:
    fed = asha(reduction_factor=3)
    for epoch in (1, 2, 3):
        fed.report("good", epoch, 0.9)
    assert fed.report("turns bad", 1, 0.95) == CONTINUE
    assert fed.report("turns bad", 2, 0.1) == CONTINUE
    assert fed.report("turns bad", 3, 0.1) == STOP


def test_a_grace_period_is_respected() -> None:
    fed = asha(grace_period=3)
    for epoch in (1, 2, 3):
        fed.report("good", epoch, 0.9)
    assert [fed.report("bad", epoch, 0.1) for epoch in (1, 2, 3)] == [CONTINUE, CONTINUE, STOP]


def test_a_trial_stops_at_the_last_epoch() -> None:
    assert asha(max_epochs=5).report("only", 4, 0.9) == CONTINUE
    assert asha(max_epochs=5).report("only", 5, 0.9) == STOP


def test_time_is_counted_in_epochs_of_the_trial() -> None:
    fed = asha(max_epochs=5, grace_period=3)
    fed.report("good", 3, 0.9, training_iteration=3)
    assert fed.report("bad", 1, 0.1, training_iteration=50) == CONTINUE
    assert fed.report("bad", 3, 0.1, training_iteration=1) == STOP


@pytest.mark.parametrize("metric", METRICS)
def test_a_diverged_trial_stops_at_a_rung(metric: str) -> None:
    fed = asha(metric)
    fed.report("sound", 1, 0.5)
    assert fed.report("diverged", 1, METRICS[metric].worst) == STOP


@pytest.mark.parametrize("metric", METRICS)
def test_diverged_trials_leave_the_rungs_sound(metric: str) -> None:
    """A NaN in a rung would make its cutoff NaN, and every trial would go on."""
    good, bad = (0.9, 0.1) if METRICS[metric].mode == "max" else (0.1, 0.9)
    fed = asha(metric)
    fed.end("diverged at once", 1, METRICS[metric].worst)
    for n in range(3):
        assert fed.report(f"good {n}", 1, good) == CONTINUE
    assert fed.report("bad", 1, bad) == STOP


def test_the_median_rule_stops_what_is_below_the_median_of_the_others() -> None:
    fed = Fed("median", StoppingRules("val_accuracy", "max", 27, grace_period=2))
    for epoch in (1, 2, 3):
        for trial, value in (("a", 0.5), ("b", 0.6), ("c", 0.7)):
            assert fed.report(trial, epoch, value) == TrialScheduler.CONTINUE
    assert fed.report("bad", 1, 0.1) == TrialScheduler.CONTINUE  # grace
    assert fed.report("good", 2, 0.65) == TrialScheduler.CONTINUE
    assert fed.report("bad", 2, 0.1) == TrialScheduler.STOP


def test_the_median_rule_asks_for_three_others() -> None:
    fed = Fed("median", StoppingRules("val_accuracy", "max", 27))
    for trial in ("a", "b"):
        assert fed.report(trial, 1, 0.6) == CONTINUE
        assert fed.report(trial, 2, 0.6) == CONTINUE
    assert fed.report("bad", 1, 0.1) == CONTINUE
    fed.report("c", 1, 0.7), fed.report("c", 2, 0.7)
    assert fed.report("bad", 2, 0.1) == STOP


@pytest.mark.parametrize("config", [{}, {"policy": "triangular", "step_size": 2}], ids=str)
@pytest.mark.parametrize("name", ["asha", "aligned_asha"])
def test_a_trial_asks_wherever_it_may_be_stopped(name: str, config: dict[str, Any]) -> None:
    """It does not report between the epochs at which its scheduler decides."""
    rules, stops = StoppingRules("val_accuracy", "max", 27, grace_period=2), []
    for last in range(1, 27):
        fed = Fed(name, rules)
        for trial in ("a", "b", "c", "d"):
            for epoch in range(1, 27):
                fed.report(trial, epoch, 0.9)
        fed.add("bad", config)
        *_, decision = [fed.report("bad", n, 0.1 if n == last else 1.0) for n in range(1, last + 1)]
        stops += [last] if decision == STOP else []
    assert len(stops) >= 3
    assert all(SCHEDULERS[name].decides(rules, config, epoch) for epoch in stops)


CHANGING = SearchSpace(
    {"lr": Float(1e-3, 1.0, log=True), "momentum": Float(0.5, 0.9), "n": Int(1, 9)}
)


def test_a_population_changes_rates_and_nothing_else() -> None:
    explore = explorer(CHANGING, seed=0)
    config = {"lr": 0.1, "momentum": 0.6, "n": 3}
    changed = [explore(config) for _ in range(200)]
    assert config == {"lr": 0.1, "momentum": 0.6, "n": 3}
    assert all(CHANGING.contains(c) and c["n"] == 3 for c in changed)
    scaled = [c["lr"] for c in changed if c["lr"] in (0.1 * 0.8, 0.1 * 1.2)]
    assert 0.6 < len(scaled) / len(changed) < 0.9  # the rest are drawn again
    assert {True, False} == {lr > 0.1 for lr in scaled}


def test_a_change_is_clipped_to_the_space_and_seeded() -> None:
    at_the_edge = {"lr": 1.0, "momentum": 0.9, "n": 1}
    first, second = explorer(CHANGING, seed=1), explorer(CHANGING, seed=1)
    for _ in range(50):
        assert CHANGING.contains(first(at_the_edge))
    assert [first(at_the_edge) for _ in range(3)] != [second(at_the_edge) for _ in range(3)]
    second = explorer(CHANGING, seed=1)
    first = explorer(CHANGING, seed=1)
    assert [first(at_the_edge) for _ in range(3)] == [second(at_the_edge) for _ in range(3)]


def test_an_inactive_parameter_stays_absent() -> None:
    space = SPACES["mlp"]
    explore = explorer(space, seed=0)
    rng = np.random.default_rng(0)
    for config in (space.sample(rng) for _ in range(50)):
        assert set(explore(config)) == set(config)
        assert space.contains(explore(config))


def test_the_seed_draws_whom_a_bad_trial_goes_on_from(monkeypatch: pytest.MonkeyPatch) -> None:
    def models(seed: int) -> list[str]:
        population: Any = SCHEDULERS["pbt"].make(
            StoppingRules("val_accuracy", "max", 27, space=CHANGING, seed=seed)
        )
        bad, good = StubTrial("bad"), [StubTrial(f"good {n}") for n in range(5)]
        population._trial_state = defaultdict(lambda: SimpleNamespace(last_checkpoint="there"))
        found: list[str] = []
        monkeypatch.setattr(population, "_exploit", lambda _, trial, to: found.append(to.trial_id))
        for _ in range(20):
            population._checkpoint_or_exploit(bad, None, good, [bad])
        return found

    assert models(seed=0) == models(seed=0)
    assert models(seed=0) != models(seed=1)
    assert set(models(seed=0)) == {f"good {n}" for n in range(5)}


def test_a_population_needs_something_to_change() -> None:
    with pytest.raises(ValueError, match="lr, momentum, weight_decay: the space has none"):
        check_scheduler("pbt", "random", NETWORKS["mlp"], SearchSpace({"n": Int(1, 3)}))


def test_an_algorithm_that_learns_is_refused_with_a_population() -> None:
    with pytest.raises(ValueError, match="use `algo` grid, random, sobol, not optuna"):
        check_scheduler("pbt", "optuna", NETWORKS["mlp"], SPACES["mlp"])


@pytest.mark.parametrize("name", [name for name, kind in SCHEDULERS.items() if kind.pauses])
def test_a_generator_cannot_be_paused(name: str) -> None:
    def generator() -> Any:
        yield 1

    with pytest.raises(ValueError, match=f"`scheduler={name}` pauses trials"):
        check_scheduler(name, "random", generator, SPACES["mlp"])


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_networks_go_with_every_scheduler(name: str) -> None:
    check_scheduler(name, "random", NETWORKS["cnn"], SPACES["cnn"])


def test_a_choice_is_drawn_anew() -> None:
    explore = explorer(SearchSpace({"weight_decay": Choice((0.0, 1e-4))}), seed=0)
    assert {explore({"weight_decay": 0.0})["weight_decay"] for _ in range(20)} == {0.0, 1e-4}


def test_rungs_are_those_that_ray_has() -> None:
    for grace, factor, last in ((1, 3, 30), (2, 2, 9), (4, 4, 4), (1, 2.5, 20), (25, 1.6, 100)):
        rules = StoppingRules("val_accuracy", "max", last, grace, factor)
        scheduler: Any = SCHEDULERS["asha"].make(rules)
        theirs = {math.ceil(m) for m, _ in scheduler._brackets[0]._rungs if m < last}
        assert rungs(last, grace, factor) == (*sorted(theirs), last)


@pytest.mark.parametrize("factor", [1.0000001, 1.2, 1.4])
def test_each_rung_is_later_than_the_one_before(factor: float) -> None:
    found = rungs(30, 1, factor)
    assert sorted(set(found)) == list(found)
    assert found[-1] == 30
    rules = StoppingRules("val_accuracy", "max", 30, reduction_factor=factor)
    assert Fed("asha", rules).report("only", 1, 0.5) == CONTINUE


def test_a_cycle_ends_where_it_does() -> None:
    def ends(**config: Any) -> list[int]:
        return [epoch for epoch in range(1, 13) if ends_cycle(config, epoch)]

    assert ends(policy="triangular", step_size=2) == [4, 8, 12]
    assert ends(policy="exp_range", step_size=0.75) == [2, 3, 5, 6, 8, 9, 11, 12]
    assert ends(policy="one_cycle") == list(range(1, 13))
    assert ends(policy="triangular") == list(range(1, 13))  # a user's own, of any length
    assert ends() == list(range(1, 13))


def test_aligned_asha_waits_for_the_end_of_a_cycle() -> None:
    fed = Fed("aligned_asha", StoppingRules("val_accuracy", "max", 27))
    for n in range(4):
        assert fed.report(f"good {n}", 1, 0.9) == CONTINUE
        assert fed.report(f"good {n}", 4, 0.9) == CONTINUE
    fed.add("cyclical", {"policy": "triangular", "step_size": 2})
    fed.add("constant", {"policy": "constant"})
    assert fed.report("constant", 1, 0.1) == STOP
    assert [fed.report("cyclical", epoch, 0.1) for epoch in (1, 2, 3)] == [CONTINUE] * 3
    assert fed.report("cyclical", 4, 0.1) == STOP


def test_a_skipped_rung_stays_skipped() -> None:
    """It is not filled later, at the next end of a cycle, nor when the trial ends."""
    fed = Fed("aligned_asha", StoppingRules("val_accuracy", "max", 30))
    fed.add("cyclical", {"policy": "triangular", "step_size": 2})
    for epoch in range(1, 31):
        fed.report("cyclical", epoch, 0.5 + epoch / 100)
    fed.end("cyclical", 30, 0.8)
    assert fed.rungs() == {1: [], 3: [0.54], 9: [0.62], 27: [0.78]}
    fed.add("constant", {"policy": "constant"})
    assert fed.report("constant", 1, 0.52) == CONTINUE


def test_epochs_in_jumps_fill_no_earlier_rung() -> None:
    fed = asha()
    for epoch in (5, 10, 15, 20):
        fed.report("jumps", epoch, epoch / 100)
    assert fed.rungs() == {1: [], 3: [0.05], 9: [0.1], 27: []}
    assert fed.report("early", 1, 0.04) == CONTINUE


def test_a_trial_stopped_at_one_rung_is_not_entered_at_another() -> None:
    fed = asha()
    for n in range(3):
        fed.report(f"good {n}", 10, 0.9)
    assert fed.report("bad", 10, 0.1) == STOP
    fed.end("bad", 10, 0.1)
    assert fed.rungs()[3] == []


@pytest.mark.parametrize("metric", METRICS)
def test_with_every_rung_visited_asha_is_rays(metric: str) -> None:
    rules = StoppingRules(metric, METRICS[metric].mode, 30, reduction_factor=2)
    fed, rays = Fed("asha", rules), Fed("asha", rules)
    rays.take(AsyncHyperBandScheduler("epoch", metric, rules.mode, 30, 1, 2))
    rng = np.random.default_rng(0)
    for n in range(100):
        for epoch in range(1, 31):
            value = rng.uniform()
            decided = fed.report(str(n), epoch, value)
            assert decided == rays.report(str(n), epoch, value)
            if decided == STOP:
                break
        fed.end(str(n), epoch, value)
        rays.end(str(n), epoch, value)
    assert fed.rungs() == rays.rungs()


def test_aligned_asha_ends_a_trial_at_its_last_epoch() -> None:
    fed = Fed("aligned_asha", StoppingRules("val_accuracy", "max", 5))
    fed.add("cyclical", {"policy": "triangular", "step_size": 2})
    assert fed.report("cyclical", 5, 0.1) == STOP
