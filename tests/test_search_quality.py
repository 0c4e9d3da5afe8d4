"""The benchmark of search quality: its functions, its statistics, and whether its loops equal those
of the libraries."""

import math

import hyperopt
import numpy as np
import optuna
import pytest
from hyperopt import tpe

from benchmarks.peers.loops import (
    NATIVE,
    PENALTY,
    HyperOptLoop,
    OptunaLoop,
    OursLoop,
    finite,
    optuna_tpe,
)
from benchmarks.search_quality import HEADER, Comparison, app, compare, p_larger, regret, search
from benchmarks.sets.functions import FUNCTIONS
from pipelines.cli.command import main as run
from pipelines.record.goals import Aim, Goals
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.optuna_sampler import OptunaSampler
from search_spaces import Config
from trainables.training.metrics import Mode

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
every_function = pytest.mark.parametrize("name", FUNCTIONS)


class Recorder:
    """A loop that always proposes the same config, and records what happens."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.events: list[str] = []

    def ask(self, number: int) -> Config:
        self.events.append(f"ask {number}")
        return self._config

    def tell(self, number: int, config: Config, value: float) -> None:
        self.events.append(f"tell {number}")


@every_function
def test_the_optimum_is_reached_where_it_is_said_to_be(name: str) -> None:
    function = FUNCTIONS[name]
    for config in function.optimal:
        assert function.space.contains(config)
        assert function.value(config) == pytest.approx(function.optimum, abs=1e-9)


@every_function
def test_no_other_config_is_better(name: str) -> None:
    function = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    drawn = [function.value(function.space.sample(rng)) for _ in range(2000)]
    assert min(drawn) > function.optimum


def test_the_values_at_known_points() -> None:
    origin: Config = {"x1": 0.0, "x2": 0.0}
    assert FUNCTIONS["branin"].value(origin) == pytest.approx(55.602113)
    assert FUNCTIONS["rosenbrock4"].value(dict.fromkeys(("x1", "x2", "x3", "x4"), 0.0)) == 3
    leaves: list[Config] = [
        {"x1": 0, "r8": 0.5, "x2": 0, "x4": -0.5},
        {"x1": 0, "r8": 0.5, "x2": 1, "x5": -0.5},
        {"x1": 1, "r9": 0.5, "x3": 0, "x6": -0.5},
        {"x1": 1, "r9": 0.5, "x3": 1, "x7": -0.5},
    ]
    assert [FUNCTIONS["jenatton"].value(leaf) for leaf in leaves] == pytest.approx(
        [0.85, 0.95, 1.05, 1.15]
    )


def test_half_of_the_domain_diverges() -> None:
    diverging = FUNCTIONS["half-branin"]
    assert diverging.value({"x1": 2.51, "x2": 3.0}) == math.inf
    assert diverging.value({"x1": 2.5, "x2": 3.0}) < PENALTY


@every_function
def test_the_domains_written_by_hand_are_the_same(name: str) -> None:
    function = FUNCTIONS[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    native = HyperOptLoop(function, 0)
    for number in range(15):
        assert function.space.contains(function.suggest(study.ask()))
        assert function.space.contains(native.ask(number))


def test_the_oldest_of_the_pending_trials_ends_first() -> None:
    function = FUNCTIONS["branin"]
    one, three = (Recorder(function.optimal[0]) for _ in range(2))
    assert search(one, function, 2, 1) == pytest.approx([function.optimum] * 2)
    assert one.events == ["ask 0", "tell 0", "ask 1", "tell 1"]
    assert len(search(three, function, 4, 3)) == 4
    asks_and_tells = "ask 0, ask 1, ask 2, tell 0, ask 3, tell 1, tell 2, tell 3"
    assert three.events == asks_and_tells.split(", ")


@every_function
def test_one_at_a_time_it_is_fmin(name: str) -> None:
    function = FUNCTIONS[name]
    expected: list[float] = []

    def objective(point: object) -> float:
        expected.append(function.value(function.flatten(point)))
        return finite(expected[-1])

    hyperopt.fmin(
        objective,
        function.nested,
        tpe.suggest,
        max_evals=24,
        rstate=np.random.default_rng(3),
        show_progressbar=False,
        verbose=False,
    )
    assert search(HyperOptLoop(function, 3), function, 24, 1) == expected


@every_function
def test_one_at_a_time_it_is_optimize(name: str) -> None:
    function = FUNCTIONS[name]
    expected: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        expected.append(function.value(function.suggest(trial)))
        return finite(expected[-1])

    optuna.create_study(sampler=optuna_tpe(3)).optimize(objective, n_trials=15)
    assert search(OptunaLoop(optuna_tpe(3), function), function, 15, 1) == expected


def test_a_recipe_is_told_of_divergence() -> None:
    function = FUNCTIONS["half-branin"]
    values = search(OursLoop("cmaes", function, 0, 12), function, 12, 3)
    assert len(values) == 12
    assert math.inf in values
    assert min(values) < PENALTY


@pytest.mark.parametrize("as_history", [False, True])
@pytest.mark.parametrize(("mode", "worse"), [("min", 9.0), ("max", 1.0)])
def test_a_diverged_trial_stays_just_below_the_worst(
    mode: Mode, worse: float, as_history: bool
) -> None:
    """A frozen penalty misleads a model of values, because it is soon better than sound trials."""
    space = FUNCTIONS["branin"].space
    config = FUNCTIONS["branin"].optimal[0]
    penalty = PENALTY if mode == "min" else -PENALTY
    diverged = [
        FinishedTrial(n, config, State.PRUNED, {1: penalty}, penalty, 1, "divergence") for n in "02"
    ]
    sound = [
        FinishedTrial(n, config, State.COMPLETE, {1: value}, value, 1)
        for n, value in (("1", 5.0), ("3", worse))
    ]
    trials = [diverged[0], sound[0], diverged[1], sound[1]]
    history, told = (trials[:3], trials[3:]) if as_history else ([], trials)
    inner = optuna.samplers.RandomSampler(seed=0)
    sampler = OptunaSampler(space, Goals((Aim("value", mode),)), inner, history, knows_pruned=False)
    for trial in told:
        sampler.ask(trial.trial_id)
        sampler.tell(trial)
    below = math.nextafter(worse, penalty)
    assert [trial.value for trial in sampler._study.trials] == [below, 5.0, below, worse]


@pytest.mark.parametrize("algo", ["optuna", "hyperopt", "cmaes"])
def test_a_comparison_is_deterministic(algo: str) -> None:
    first = compare("jenatton", algo, 2, 2, 22)
    assert first == compare("jenatton", algo, 2, 2, 22)
    assert len(set(first.ours)) == 2


def test_regret_is_from_the_best() -> None:
    assert regret([3.0, math.inf, 1.5], 1.0) == 0.5
    assert regret([math.inf], 1.0) == PENALTY - 1
    assert regret([1.0 - 1e-15], 1.0) == 0


@pytest.mark.parametrize(
    ("ours", "native", "p"),
    [
        ((1.0, 2.0, 0.0), (1.0, 2.0, 0.0), 1.0),
        ((2.0, 3.0, 4.0, 5.0, 6.0), (1.0, 1.0, 1.0, 1.0, 1.0), 1 / 2**5),
        ((1.0, 1.0, 1.0, 1.0, 1.0), (2.0, 3.0, 4.0, 5.0, 6.0), 1.0),
        ((1.0, 10.0), (10.0, 1.0), 3 / 4),
        ((0.0, 1.0), (1e-13, 1.0), 1.0),  # both count as no difference
        ((2.0,), (1.0,), 1 / 2),
    ],
)
def test_p_of_given_regrets(ours: tuple[float, ...], native: tuple[float, ...], p: float) -> None:
    assert p_larger(ours, native) == pytest.approx(p)


def test_a_row_says_which_side_is_worse() -> None:
    low, high = (1.0,) * 5, (2.0, 3.0, 4.0, 5.0, 1.0)
    same = Comparison("branin", "optuna", 1, low, low)
    assert same.equal == 5
    assert not same.worse
    assert str(same).endswith("1.000   no worse")
    assert not Comparison("branin", "optuna", 1, high, low).worse  # p = 1/16
    worse = Comparison("branin", "optuna", 8, (*high[:4], 6.0), low)
    assert worse.worse
    assert str(worse).endswith("worse")
    assert "4.000e+00     1.000e+00" in str(worse)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--seeds", "1", "--trials", "3", "--functions", "branin")
    assert run(app, [*few, "--algos", "cmaes", "--algos", "optuna"]) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title == "1 seeds, 3 trials"
    assert header == HEADER
    assert [row.split()[:3] for row in rows] == [
        ["branin", algo, pending] for algo in ("cmaes", "optuna") for pending in "18"
    ]


@pytest.mark.parametrize(
    "arguments",
    [("--algos", "annealing"), ("--functions", "none"), ("--concurrency", "0"), ("--seeds", "0")],
)
def test_what_the_command_does_not_know_it_refuses(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, arguments) == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_worse_row_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Perfect(Recorder):
        def __init__(self, *_: object) -> None:
            super().__init__(FUNCTIONS["branin"].optimal[0])

    monkeypatch.setitem(NATIVE, "cmaes", Perfect)
    few = ("--seeds", "5", "--trials", "3", "--functions", "branin", "--concurrency", "1")
    assert run(app, [*few, "--algos", "cmaes"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("0.031   worse")
