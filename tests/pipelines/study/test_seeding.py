"""What a search begins from: given configs or another run, and what is not allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.record.goals import Aim, Goals, read_requirement
from pipelines.record.trials import REQUIREMENT, FinishedTrial, State
from pipelines.study.runs import open_run
from pipelines.study.seeding import load_configs, load_history
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import SPACES, Choice, Config, Float, Int, OneOf, SearchSpace
from search_spaces.portfolio import THREE_LAYERS
from tests.pipelines.recorded import write_run

LEARNING = [name for name in ALGORITHMS if name != "grid"]
ACCURACY = Goals((Aim("val_accuracy", "max"),))
SPACE = SearchSpace(
    {"x": Float(0.0, 1.0), "kind": Choice(("a", "b"))}, try_first=({"x": 0.25, "kind": "b"},)
)


def finished(trial_id: str, config: Config, value: float = 0.5) -> FinishedTrial:
    return FinishedTrial(trial_id, config, State.COMPLETE, {1: value}, value, 1)


def asked(algo: str, problem: Problem, n: int) -> list[Config]:
    sampler = make_sampler(algo, problem, worst=0.0)
    configs = []
    for i in range(n):
        config = sampler.ask(str(i))
        assert config is not None
        sampler.tell(finished(str(i), config, 1.0 - float(config["x"])))
        configs.append(config)
    return configs


@pytest.mark.parametrize("algo", LEARNING)
def test_given_configs_come_first_and_then_those_of_the_space(algo: str) -> None:
    mine: Config = {"x": 0.75, "kind": "a"}
    configs = asked(algo, Problem(SPACE, "max", start_with=(mine,)), 20)
    assert configs[:2] == [mine, SPACE.try_first[0]]
    assert all(SPACE.contains(config) for config in configs)


@pytest.mark.parametrize("algo", LEARNING)
def test_a_config_of_the_history_is_not_tried_first_again(algo: str) -> None:
    history = (finished("h", SPACE.try_first[0]),)
    assert SPACE.try_first[0] not in asked(algo, Problem(SPACE, "max", history=history), 5)


def test_a_grid_keeps_its_order() -> None:
    configs = asked("grid", Problem(SPACE, "max", grid_levels={"x": 3}), 3)
    assert configs[0] == {"x": 0.0, "kind": "a"}


def test_what_was_not_trained_is_told_only_where_it_would_not_be_now(tmp_path: Path) -> None:
    trained = replace(finished("0", {"x": 0.1, "kind": "a"}), n_parameters=10)
    large = FinishedTrial(
        "1",
        {"x": 0.2, "kind": "a"},
        State.PRUNED,
        {},
        None,
        stopped_by=REQUIREMENT,
        n_parameters=1000,
        broken="n_parameters<100",
    )
    run = write_run(tmp_path / "run", [trained, large], space=SPACE, fingerprint="abc")
    bounded = replace(ACCURACY, requirements=(read_requirement("n_parameters<100"),))
    assert [t.trial_id for t in load_history(run, SPACE, bounded, "abc", split_seed=0)[0]] == [
        "0",
        "1",
    ]
    fitting, lines = load_history(run, SPACE, ACCURACY, "abc", split_seed=0)
    assert [t.trial_id for t in fitting] == ["0"]
    assert lines == [f"history   1 trial of {run}; 1 dropped: they were not trained"]


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_forbidden_config_is_never_let_out(algo: str) -> None:
    half = replace(SPACE, forbid=lambda config: float(config["x"]) > 0.5)
    configs = asked(algo, Problem(half, "max", max_trials=100, grid_levels={"x": 11}), 12)
    assert all(float(config["x"]) <= 0.5 for config in configs)


def test_a_space_that_forbids_everything_is_an_error_and_not_a_hang() -> None:
    nothing = replace(SPACE, forbid=lambda config: True)
    with pytest.raises(ValueError, match="in a row are forbidden"):
        make_sampler("random", Problem(nothing, "max"), worst=0.0).ask("0")


def test_a_grid_goes_past_what_is_forbidden_however_much_that_is() -> None:
    wide = SearchSpace({"x": Int(1, 3000)}, forbid=lambda config: int(config["x"]) <= 2500)
    problem = Problem(wide, "max", max_trials=3000, grid_levels={"x": 3000})
    sampler = make_sampler("grid", problem, worst=0.0)
    found = [sampler.ask(str(n)) for n in range(501)]
    assert found == [*({"x": x} for x in range(2501, 3001)), None]


@pytest.mark.parametrize("algo", LEARNING)
def test_a_config_that_is_given_and_in_the_portfolio_is_tried_once(algo: str) -> None:
    (config,) = SPACE.try_first
    other: Config = {"x": 0.5, "kind": "a"}
    configs = asked(algo, Problem(SPACE, "max", start_with=(other, config, other)), 6)
    assert configs[:2] == [other, config]
    assert other not in configs[1:]
    assert config not in configs[2:]


@pytest.mark.parametrize("algo", ["grid", "random", "sobol"])
def test_a_pending_config_is_not_given_out_again(algo: str) -> None:
    problem = Problem(replace(SPACE, try_first=()), "max", grid_levels={"x": 5})
    sampler = make_sampler(algo, problem, worst=0.0)
    first = [sampler.ask(str(n)) for n in range(8)]
    assert None not in first
    done = tuple(finished(str(n), c) for n, c in enumerate(first[:4]) if c is not None)
    pending = [(str(n), c) for n, c in enumerate(first[4:6], 4) if c is not None]
    primed = make_sampler(algo, replace(problem, history=done), 0.0, pending)
    assert [primed.ask(str(n)) for n in (6, 7)] == first[6:]


def test_the_trials_of_another_run_that_still_fit(tmp_path: Path) -> None:
    trials = [finished("0", {"x": 0.1, "kind": "a"}), finished("1", {"x": 0.9, "kind": "a"})]
    run = write_run(tmp_path / "run", trials, space=SPACE, fingerprint="abc")
    narrower = SearchSpace({"x": Float(0.0, 0.5), "kind": Choice(("a", "b"))})
    fitting, lines = load_history(run, narrower, ACCURACY, "abc", split_seed=0)
    assert [trial.trial_id for trial in fitting] == ["0"]
    assert lines == [f"history   1 trial of {run}; 1 dropped: the space does not contain them"]
    with pytest.raises(ValueError, match="searched for val_accuracy, not for val_loss"):
        load_history(run, SPACE, Goals((Aim("val_loss", "min"),)), "abc", split_seed=0)


GREW = SearchSpace(
    {
        **SPACE.domains,
        "late": Choice(("none", "some")),
        "size": Int(1, 9, when=OneOf("late", ("some",))),
    },
    if_missing={"late": "none"},
)


def test_what_was_saved_before_a_parameter_was_in_the_space_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "configs.yaml"
    path.write_text("- {x: 0.5, kind: a}\n- {x: 0.5, kind: a, late: some, size: 2}\n")
    before, now = load_configs(path, GREW)
    assert before == {"x": 0.5, "kind": "a", "late": "none"}
    assert now["late"] == "some"
    run = write_run(tmp_path / "run", [finished("0", {"x": 0.1, "kind": "a"})], space=SPACE)
    fitting, _ = load_history(run, GREW, ACCURACY, "abc", split_seed=0)
    assert [trial.config for trial in fitting] == [{"x": 0.1, "kind": "a", "late": "none"}]


def test_a_config_of_an_mlp_from_before_its_embeddings_is_one_without() -> None:
    config = {**THREE_LAYERS}
    space = SPACES["mlp"]
    assert "num_embedding is missing" in space.problem_with(config)
    assert space.completed(config) == {**config, "num_embedding": "none", "cat_embedding": False}
    assert space.contains(space.completed(config))
    assert "lr is missing" in space.problem_with(
        space.completed({name: value for name, value in config.items() if name != "lr"})
    )


def test_a_grid_that_began_with_configs_can_still_be_read(tmp_path: Path) -> None:
    """Older versions wrote such runs."""
    folder = write_run(tmp_path / "run", space=SPACE, algo="grid", start_with="mine.yaml")
    run = open_run(folder)
    assert run.spec.space.start_with == Path("mine.yaml")


def test_a_run_on_other_data_is_a_warning_that_names_both(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", space=SPACE, data="wine", fingerprint="0123456789abc")
    _, lines = load_history(run, SPACE, ACCURACY, "fedcba9876543", split_seed=0)
    assert lines[0] == f"warning   {run} has no finished trial to learn from"
    assert lines[1] == (
        f"warning   {run} searched other data: wine, fingerprint 01234567, here fedcba98"
    )


def test_a_run_on_another_split_is_a_warning(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", space=SPACE, fingerprint="abc", seed=3)
    assert len(load_history(run, SPACE, ACCURACY, "abc", split_seed=3)[1]) == 1
    _, lines = load_history(run, SPACE, ACCURACY, "abc", split_seed=4)
    assert lines[1].startswith(f"warning   {run} split the data with the seed 3, not 4: ")
    own = write_run(tmp_path / "own", space=SPACE, fingerprint="abc", seed=3, split_seed=4)
    assert len(load_history(own, SPACE, ACCURACY, "abc", split_seed=4)[1]) == 1


def test_configs_are_read_with_the_types_of_their_domains(tmp_path: Path) -> None:
    path = tmp_path / "configs.yaml"
    path.write_text("- {x: 1e-1, kind: a}\n- {x: 1, kind: b}\n")
    assert load_configs(path, SPACE) == ({"x": 0.1, "kind": "a"}, {"x": 1.0, "kind": "b"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: 1", "is not a list of configs"),
        ("- {x: 0.5}", "config 1: kind is missing"),
        ("- {x: 0.5, kind: a}\n- {x: 5, kind: a}", "config 2: x=5.0 is not in 0 .. 1"),
        ("- {x: 0.5, kind: c}", "config 1: kind: 'c' is none of a, b"),
        ("- {x: much, kind: a}", "config 1: x: 'much' is not a number"),
        ("- {x: 0.5, kind: a, y: 1}", "config 1: the space has no parameter 'y'"),
        ("- {x: [", "is not valid YAML"),
    ],
)
def test_a_file_of_configs_that_is_wrong_says_where(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "configs.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole message is compared
        load_configs(path, SPACE)
    assert message in str(error.value)
