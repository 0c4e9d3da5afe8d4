"""What every search algorithm must do on every space, and how Optuna is told each end."""

import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import replace

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from pipelines.record.goals import Aim, Goals
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.sampling.optuna_sampler import OptunaSampler
from pipelines.tuner.sampling.samplers import Problem, Sampler
from search_spaces import SPACES, AtLeast, Choice, Config, Float, Int, OneOf, SearchSpace
from trainables.training.metrics import METRICS, Mode

ASKS = 20  # twice the random trials with which the models begin
HIGHEST = Goals((Aim("value", "max"),))
NASTY = SearchSpace(
    {
        "kind": Choice(("none", "tree", "net")),
        "depth": Int(0, 3, when=OneOf("kind", ("tree", "net"))),
        "shape": Choice(("round", "long"), when=AtLeast("depth", 2)),
        "bend": Float(1e-6, 1e2, log=True, when=OneOf("shape", ("long",))),
        "only": Choice(("one",)),
        "fixed": Int(7, 7, when=OneOf("only", ("one",))),
        "point": Float(1, 1, when=AtLeast("fixed", 7)),
        "flag": Choice((True, False)),
        "count": Int(1, 10**8, log=True, when=OneOf("flag", (True,))),
        "wide": Float(1e-8, 1, log=True),
    }
)
ONE_CONFIG = SearchSpace({"x": Float(1, 1), "n": Int(2, 2), "option": Choice(("a",))})
ALL_SPACES = {**SPACES, "nasty": NASTY}

every_algorithm = pytest.mark.parametrize("algo", ALGORITHMS)
every_space = pytest.mark.parametrize("space", ALL_SPACES.values(), ids=ALL_SPACES)


def make(
    algo: str,
    space: SearchSpace,
    *,
    mode: Mode = "max",
    seed: int = 0,
    history: Iterable[FinishedTrial] = (),
) -> Sampler:
    trials = max(ASKS, space.grid_size())
    return ALGORITHMS[algo](Problem(space, mode, seed, trials, history=tuple(history)))


def complete(trial_id: str, config: Config, value: float) -> FinishedTrial:
    curve = {1: value / 2, 2: value}
    return FinishedTrial(trial_id, config, State.COMPLETE, curve, value, best_epoch=2)


def stopped(trial_id: str, config: Config, value: float, by: str = "scheduler") -> FinishedTrial:
    return FinishedTrial(
        trial_id, config, State.PRUNED, {1: value}, value, best_epoch=1, stopped_by=by
    )


def failed(trial_id: str, config: Config) -> FinishedTrial:
    return FinishedTrial(trial_id, config, State.FAIL, error="RuntimeError: out of memory")


def result(trial_id: str, config: Config) -> FinishedTrial:
    """An end that depends only on the config; all kinds of ends occur."""
    number = zlib.crc32(repr(sorted(config.items())).encode())
    value = number % 1000 / 1000
    ends = {
        0: failed(trial_id, config),
        1: stopped(trial_id, config, METRICS["val_accuracy"].worst, by="divergence"),
        2: stopped(trial_id, config, value),
    }
    return ends.get(number % 6, complete(trial_id, config, value))


def search(sampler: Sampler, asks: int = ASKS) -> list[FinishedTrial]:
    """Runs one trial at a time until no suggestion is left."""
    trials = []
    for n in range(asks):
        config = sampler.ask(str(n))
        if config is None:
            break
        trials.append(result(str(n), config))
        sampler.tell(trials[-1])
    return trials


def configs(trials: Iterable[FinishedTrial]) -> list[Config]:
    return [trial.config for trial in trials]


def assert_contained(config: Config, space: SearchSpace) -> None:
    assert space.contains(config), config
    assert all(type(value) in (bool, int, float, str) for value in config.values()), config


@every_algorithm
@every_space
def test_every_config_lies_in_the_space(algo: str, space: SearchSpace) -> None:
    trials = search(make(algo, space))
    assert len(trials) == min(ASKS, space.grid_size() if algo == "grid" else ASKS)
    for trial in trials:
        assert_contained(trial.config, space)


@every_algorithm
@every_space
def test_a_seed_decides_the_sequence(algo: str, space: SearchSpace) -> None:
    first = search(make(algo, space, seed=1))
    assert {trial.state for trial in first} == set(State) - {State.RUNNING}
    assert any(trial.diverged for trial in first)
    assert search(make(algo, space, seed=1)) == first


@pytest.mark.parametrize("algo", [name for name in ALGORITHMS if name != "grid"])
@every_space
def test_another_seed_gives_other_configs(algo: str, space: SearchSpace) -> None:
    first = configs(search(make(algo, space, seed=0), 10))
    second = configs(search(make(algo, space, seed=1), 10))
    assert not any(config in first for config in second)


@every_algorithm
@every_space
def test_several_trials_may_be_pending(algo: str, space: SearchSpace) -> None:
    sampler = make(algo, space)
    pending: dict[str, Config] = {}
    for n in range(12):
        config = sampler.ask(str(n))
        assert config is not None
        pending[str(n)] = config
    for trial_id in reversed(pending):
        sampler.tell(result(trial_id, pending[trial_id]))
        config = sampler.ask(f"after {trial_id}")
        assert config is not None
        assert_contained(config, space)


@every_algorithm
@every_space
def test_a_search_that_goes_on_repeats_no_config(algo: str, space: SearchSpace) -> None:
    history = search(make(algo, space), 12)
    more = configs(search(make(algo, space, history=history), 10))
    assert len(more) == 10
    assert not any(config in configs(history) for config in more)
    for config in more:
        assert_contained(config, space)


@every_space
def test_a_grid_that_goes_on_covers_the_rest(space: SearchSpace) -> None:
    everything = list(space.grid())
    history = search(make("grid", space), 12)
    rest = configs(search(make("grid", space, history=history), len(everything)))
    assert configs(history) + rest == everything


@every_space
def test_random_search_goes_on_as_if_it_had_never_stopped(space: SearchSpace) -> None:
    trials = search(make("random", space), 20)
    gaps = [trial for n, trial in enumerate(trials[:12]) if n not in (3, 9)]  # lost while pending
    more = configs(search(make("random", space, history=gaps), 10))
    assert more == configs([trials[3], trials[9], *trials[12:]])


def test_random_search_does_not_depend_on_results() -> None:
    sampler = make("random", NASTY)
    untold = [sampler.ask(str(n)) for n in range(10)]
    assert untold == configs(search(make("random", NASTY), 10))


@pytest.mark.parametrize("algo", [name for name in ALGORITHMS if name != "grid"])
def test_a_space_of_one_config_may_be_searched(algo: str) -> None:
    only: Config = {"x": 1.0, "n": 2, "option": "a"}
    trials = search(make(algo, ONE_CONFIG))
    assert configs(trials) == [only] * ASKS
    assert configs(search(make(algo, ONE_CONFIG, history=trials), 3)) == [only] * 3


def test_gp_needs_no_memory_for_each_value_of_a_wide_range() -> None:
    """It begins with ten random trials, and goes on from a history in the same way."""
    space = SearchSpace({"n": Int(1, 2**62, log=True), "x": Float(0.0, 1.0)})
    sampler = make("gp", space)
    assert sampler.ask("given", {"n": 3, "x": 0.5}) == {"n": 3, "x": 0.5}
    trials = search(sampler, 14)
    more = search(make("gp", space, history=trials), 2)
    for config in configs([*trials, *more]):
        assert_contained(config, space)
    assert len({config["n"] for config in configs(trials)}) > 10


def test_gp_models_a_short_range_of_integers_exactly() -> None:
    sampler = make("gp", SearchSpace({"n": Int(1, 9), "m": Int(1, 10**6)}))
    assert isinstance(sampler, OptunaSampler)
    search(sampler, 1)
    short, wide = sampler.study.trials[0].distributions.values()
    assert isinstance(short, IntDistribution)
    assert isinstance(wide, FloatDistribution)


@pytest.mark.parametrize("seed", range(6))
def test_cmaes_goes_on_whatever_is_active_in_its_first_generation(seed: int) -> None:
    space = replace(SPACES["mlp"], try_first=())
    sampler = ALGORITHMS["cmaes"](Problem(space, "max", seed, max_trials=30))
    assert isinstance(sampler, OptunaSampler)
    for number in range(30):
        config = sampler.ask(str(number))
        assert config is not None
        sampler.tell(complete(str(number), config, -abs(math.log10(float(config["lr"])) + 2)))
    _, *later = sampler.study.get_trials(deepcopy=False)  # of one trial no covariance is known
    assert all("cma:generation" in trial.system_attrs for trial in later)


def test_a_grid_ends() -> None:
    sampler = make("grid", ONE_CONFIG)
    assert sampler.ask("0") == {"x": 1.0, "n": 2, "option": "a"}
    assert sampler.ask("1") is None


def test_a_grid_takes_the_levels_asked_for() -> None:
    problem = Problem(SPACES["mlp"], "max", grid_levels={"n_layers": 1, "lr": 5, "batch_norm": 1})
    trials = search(ALGORITHMS["grid"](problem))
    assert len({trial.config["lr"] for trial in trials}) == len(trials) == 5


def test_a_grid_larger_than_the_number_of_trials_is_refused() -> None:
    size = NASTY.grid_size()
    message = f"the grid has {size:,} configs but `trials` is 7: use `trials={size}`"
    with pytest.raises(ValueError, match=re.escape(message)):
        ALGORITHMS["grid"](Problem(NASTY, "max", max_trials=7))
    assert ALGORITHMS["grid"](Problem(NASTY, "max", max_trials=size)).ask("0") is not None


@every_algorithm
def test_a_wide_integer_that_others_depend_on_keeps_its_density(algo: str) -> None:
    space = SearchSpace(
        {"n": Int(1, 10**6, log=True), "x": Float(0.0, 1.0, when=AtLeast("n", 1000))}
    )
    sampler = make(algo, space)
    found = [config for n in range(ASKS) if (config := sampler.ask(str(n))) is not None]
    assert sum(int(config["n"]) <= 1000 for config in found) >= len(found) / 4  # on average, half
    for config in found:
        assert_contained(config, space)


@pytest.mark.parametrize("algo", ["optuna", "hyperopt"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_tpe_goes_where_the_metric_is_better(algo: str, mode: Mode) -> None:
    space = SearchSpace({"x": Float(0.0, 1.0)})
    late = []
    for seed in range(5):
        sampler = make(algo, space, mode=mode, seed=seed)
        for n in range(40):
            config = sampler.ask(str(n))
            assert config is not None
            x = config["x"]
            assert isinstance(x, float)
            sampler.tell(complete(str(n), config, x))
            if n >= 20:
                late.append(x)
    assert sum((x > 0.5) == (mode == "max") for x in late) > 60  # of 100; 50 at random


def test_a_grid_counts_what_the_history_leaves_of_it() -> None:
    everything = search(make("grid", NASTY), NASTY.grid_size())
    history = tuple(everything[::2])
    problem = Problem(NASTY, "max", max_trials=len(everything) // 2, history=history)
    assert ALGORITHMS["grid"].size is not None
    assert ALGORITHMS["grid"].size(problem) == len(everything) - len(history)
    assert configs(search(ALGORITHMS["grid"](problem), NASTY.grid_size())) == configs(
        everything[1::2]
    )
    with pytest.raises(ValueError, match=rf"has trials of all {len(everything)} configs of the"):
        make("grid", NASTY, history=everything)


def test_a_grid_counts_what_the_space_allows() -> None:
    half = SearchSpace({"x": Int(1, 3), "n": Int(1, 4)}, forbid=lambda c: int(c["n"]) > 2)
    problem = Problem(half, "max", max_trials=6, grid_levels={"n": 4})
    assert ALGORITHMS["grid"].size is not None
    assert ALGORITHMS["grid"].size(problem) == 6
    assert len(search(ALGORITHMS["grid"](problem), 12)) == 6
    history = tuple(search(ALGORITHMS["grid"](problem), 2))
    assert ALGORITHMS["grid"].size(replace(problem, history=history)) == 4
    with pytest.raises(ValueError, match="the grid has 6 configs but `trials` is 5"):
        ALGORITHMS["grid"](replace(problem, max_trials=5))


def test_a_grid_that_is_far_too_large_is_not_gone_through() -> None:
    asked: list[Config] = []

    def none_of_them(config: Config) -> bool:
        asked.append(config)
        return False

    large = SearchSpace({f"x{n}": Float(0.0, 1.0) for n in range(30)}, forbid=none_of_them)
    with pytest.raises(ValueError, match="the grid has 205,891,132,094,649 configs but `trials` i"):
        ALGORITHMS["grid"](Problem(large, "max"))
    assert not asked


def test_a_grid_that_the_space_forbids_is_refused() -> None:
    def all_of_them(config: Config) -> bool:
        return True

    with pytest.raises(ValueError, match=r"allows no config of the grid: .*all_of_them"):
        make("grid", replace(NASTY, forbid=all_of_them))


def told_to_optuna(trial: FinishedTrial, *, as_history: bool) -> FrozenTrial:
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True)})
    inner = optuna.samplers.RandomSampler(seed=0)
    sampler = OptunaSampler(space, HIGHEST, inner, [trial] if as_history else [])
    if not as_history:
        sampler.ask(trial.trial_id)
        sampler.tell(trial)
    (frozen,) = sampler._study.trials
    return frozen


both_ways = pytest.mark.parametrize("as_history", [False, True])
LR: Config = {"lr": 0.01}


@both_ways
def test_optuna_is_told_a_complete_trial_with_its_best_value(as_history: bool) -> None:
    trial = FinishedTrial("0", LR, State.COMPLETE, {1: 0.5, 2: 0.9, 3: 0.8}, 0.9, best_epoch=2)
    frozen = told_to_optuna(trial, as_history=as_history)
    assert (frozen.state, frozen.value) == (TrialState.COMPLETE, 0.9)
    assert frozen.intermediate_values == {1: 0.5, 2: 0.9, 3: 0.8}


@both_ways
def test_optuna_is_told_a_stopped_trial_as_pruned_with_its_curve(as_history: bool) -> None:
    trial = FinishedTrial("0", LR, State.PRUNED, {1: 0.2, 3: 0.1}, 0.2, 1, "scheduler")
    frozen = told_to_optuna(trial, as_history=as_history)
    assert frozen.state is TrialState.PRUNED
    assert frozen.intermediate_values == {1: 0.2, 3: 0.1}


@both_ways
def test_optuna_ranks_a_diverged_trial_last_however_late_it_diverged(as_history: bool) -> None:
    trial = FinishedTrial("0", LR, State.PRUNED, {1: 0.8, 9: 0.0}, 0.0, 9, "divergence")
    frozen = told_to_optuna(trial, as_history=as_history)
    assert frozen.state is TrialState.PRUNED
    assert frozen.intermediate_values == {0: 0.0}  # a stopped trial has reached at least step 1
    assert not any(math.isnan(value) for value in frozen.intermediate_values.values())


@both_ways
def test_optuna_is_told_a_failed_trial_as_failed(as_history: bool) -> None:
    frozen = told_to_optuna(failed("0", LR), as_history=as_history)
    assert (frozen.state, frozen.value) == (TrialState.FAIL, None)


def test_optuna_is_not_told_history_from_outside_the_space() -> None:
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True)})
    history = [complete("0", {"lr": 5.0}, 0.5), complete("1", {"momentum": 0.9}, 0.5)]
    sampler = OptunaSampler(space, HIGHEST, optuna.samplers.RandomSampler(seed=0), history)
    assert sampler._study.trials == []
