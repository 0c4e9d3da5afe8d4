"""The LR range test as a user types it: real sweeps, what they leave on disk, and bad input."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from sklearn.datasets import load_wine

from pipelines import lr_range_test
from pipelines.cli.command import main
from pipelines.cli.search_command import search_command
from pipelines.recipe.subject import SubjectSettings, find_subject
from pipelines.record.trials import FinishedTrial, State
from pipelines.results.figures.lr_range import range_figure
from search_spaces import SPACES
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import searched
from trainables.data.datasets import load
from trainables.data.reading import Reading
from trainables.networks import NETWORKS
from trainables.smith.lr_range_rule import suggest_bounds
from trainables.smith.lr_range_test import find_bounds, run_range_test

pytestmark = pytest.mark.usefixtures("elsewhere", "one_thread")

SMALL: dict[str, dict[str, object]] = {
    "mlp": {"n_layers": 1, "width_1": 32, "batch_size": 64},
    "cnn": {"n_blocks": 2, "channels": 8, "batch_size": 64},
}
BEST: dict[str, Any] = {**SMALL["cnn"], "lr": 0.3, "policy": "one_cycle", "weight_decay": 1e-5}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For such small networks a second thread costs more time than it saves."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


def write_config(model: str, **more: object) -> Path:
    path = Path("config.yaml")
    path.write_text(yaml.safe_dump({**SMALL[model], **more}))
    return path


def write_wine() -> Path:
    path = Path("wine.csv")
    load_wine(as_frame=True).frame.to_csv(path, index=False)
    return path


def best_of_three(**settings: Any) -> Path:
    """A run of the CNN whose second trial is the best."""
    trials = [
        FinishedTrial(
            str(n),
            BEST if n == 1 else {**BEST, "channels": 16},
            State.COMPLETE,
            {1: score},
            value=score,
            best_epoch=1,
        )
        for n, score in enumerate((0.8, 0.9, 0.7))
    ]
    return write_run(Path("runs/it"), trials, **{"model": "cnn", "seed": 3, **settings})


def test(*options: object, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], Any]:
    """Runs a test that must succeed. Returns its lines by their first words, and its JSON."""
    assert main(lr_range_test.app, [str(option) for option in options]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    return named, json.loads(Path(named["numbers"]).read_text())


test.__test__ = False  # type: ignore[attr-defined]  # no test: what the tests call


@pytest.mark.parametrize("model", SMALL)
def test_digits(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(model)
    lines, content = test("--model", model, "--config", config, capsys=capsys)
    assert list(lines)[-7:] == ["sweep", "stopped", "curve", "bounds", "figure", "numbers", "next"]
    assert lines["data"].startswith("digits: 1078 train")
    folder = Path(lines["figure"]).parent
    assert folder.parent == Path("lr_range")
    assert {file.name for file in folder.iterdir()} == {"lr_range.html", "lr_range.json"}
    assert f"{model} on digits" in (folder / "lr_range.html").read_text()
    bounds = content["bounds"]
    assert 0.01 < bounds["max_lr"] < 0.5
    assert bounds["base_lr"] == pytest.approx(bounds["max_lr"] / 10)
    span = f"{bounds['base_lr']:.3g}..{bounds['highest_lr']:.3g}"
    assert lines["next"].endswith(f"pipelines.run --model {model} --data digits --range lr={span}")
    assert f"{bounds['max_lr']:.3g}" in lines["bounds"]


def test_the_numbers_are_enough_to_draw_the_figure_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_config("mlp", optimizer="adamw", momentum=0.8, weight_decay=0.01)
    _, content = test(
        "--config", config, "--seed", 2, "--iterations", 80, "--growth", "linear", capsys=capsys
    )
    data = load("digits", seed=2)
    again = run_range_test(
        NETWORKS[content["model"]],
        content["config"],
        data,
        growth="linear",
        iterations=80,
        seed=content["seed"],
        device=torch.device("cpu"),
    )
    assert content["test"] == json.loads(json.dumps(again.as_dict()))
    assert content["config"]["momentum"] == 0.8
    assert content["data_fingerprint"] == data.fingerprint
    bounds = suggest_bounds(content["test"]["lrs"], content["test"]["train_losses"])
    assert content["bounds"]["max_lr"] == bounds.max_lr


def test_a_table_and_a_divisor(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_wine()
    options = ["--data", path, "--target", "target", "--divisor", 100, "--output", "here"]
    lines, content = test(*options, capsys=capsys)
    assert lines["figure"] == "here/lr_range.html"
    assert content["target"] == "target"
    bounds = content["bounds"]
    assert bounds["base_lr"] == pytest.approx(bounds["max_lr"] / 100)
    assert "--data wine.csv --target target" in lines["next"]
    assert "--fix optimizer=adamw" in lines["next"]  # that of the first config of the space


def test_epochs_are_turned_into_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config("mlp")
    lines, content = test("--config", config, "--epochs", 5, capsys=capsys)
    assert content["test"]["iterations"] == 5 * 17
    assert "85 iterations (5.0 epochs) at lr 1e-05 .. 10, exponential" in lines["sweep"]


def test_the_best_trial_of_a_run_gives_config_model_data_and_seed() -> None:
    folder = best_of_three(data_fraction=0.5)
    subject = find_subject(SubjectSettings(from_=folder))
    assert (subject.model, subject.data, subject.seed) == ("cnn", "digits", 3)
    assert subject.data_fraction == 0.5
    assert subject.config == {**BEST, "policy": "constant", "momentum": 0.9}
    other = find_subject(SubjectSettings(from_=folder, data="mnist", seed=0))
    assert (other.data, other.data_fraction, other.seed) == ("mnist", 1.0, 0)


def test_the_split_of_a_run_may_have_a_seed_of_its_own(tmp_path: Path) -> None:
    seeds: dict[str, Any] = {"seed": 3, "split_seed": 7}
    folder = write_run(tmp_path / "run", searched(6), data="wine", metric="val_accuracy", **seeds)
    subject = find_subject(SubjectSettings(from_=folder))
    assert (subject.seed, subject.split_seed) == (3, 7)
    np.testing.assert_array_equal(subject.load().x_train, load("wine", seed=7).x_train)
    assert "--seed 3 --split-seed 7" in search_command(subject)
    other = find_subject(SubjectSettings(from_=folder, seed=5))
    np.testing.assert_array_equal(other.load().x_train, load("wine", seed=5).x_train)
    assert "--split-seed" not in search_command(other)


def test_a_table_is_read_as_the_run_read_it_unless_it_is_said(tmp_path: Path) -> None:
    how: dict[str, Any] = {"target": "y", "drop": ("a",), "category": ("b",), "task": "regression"}
    folder = write_run(tmp_path / "run", searched(6), data="mine.csv", metric="val_accuracy", **how)
    read = find_subject(SubjectSettings.model_validate({"from_": folder}))
    assert read.reading == Reading(("a",), ("b",), "regression")
    other = find_subject(SubjectSettings.model_validate({"from_": folder, "drop": ["c"]}))
    assert other.reading == Reading(("c",))
    typed = shlex.split(search_command(read))
    for words in ("--target y", "--drop a", "--category b", "--task regression"):
        assert words in " ".join(typed)


def test_the_search_of_a_runs_problem_is_of_all_of_it(tmp_path: Path) -> None:
    problem: dict[str, Any] = {
        "metric": "val_f1",
        "data_fraction": 0.5,
        "class_weights": "balanced",
        "folds": 2,
    }
    folder = write_run(tmp_path / "run", searched(6), **problem)
    typed = search_command(find_subject(SubjectSettings(from_=folder)))
    for words in (
        "--metric val_f1",
        "--data-fraction 0.5",
        "--class-weights balanced",
        "--folds 2",
    ):
        assert words in typed
    other = search_command(find_subject(SubjectSettings(from_=folder, data="wine")))
    assert other.endswith("run --model mlp --data wine")


def test_a_run_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    lines, content = test("--from", best_of_three(), "--iterations", 60, capsys=capsys)
    assert content["config"]["channels"] == 8
    assert "channels=8" in lines["config"]
    assert "--seed 3" in lines["next"]


@pytest.mark.parametrize("model", [name for name, space in SPACES.items() if space.try_first])
def test_without_a_config_the_first_of_the_space_is_tested(model: str) -> None:
    subject = find_subject(SubjectSettings(model=model))
    first = {**SPACES[model].try_first[0], **SPACES[model].if_missing}
    config = NETWORKS[model].config.from_dict(subject.config)
    assert config.policy == "constant"
    assert subject.config["momentum"] == 0.9
    for name in set(subject.config) - {"policy", "momentum"}:
        assert subject.config[name] == first[name]
    assert {"batch_size", "weight_decay"} < set(subject.config)
    assert not {"base_lr_ratio", "max_momentum"} & set(subject.config)


def test_a_space_may_name_no_config_to_try_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "mlp", replace(SPACES["mlp"], try_first=()))
    config = find_subject(SubjectSettings(model="mlp")).config
    assert NETWORKS["mlp"].config.from_dict(config).policy == "constant"


def test_the_first_of_a_list_of_configs_counts() -> None:
    Path("list.yaml").write_text("- {n_layers: 1, width_1: 8, weight_decay: 1e-3}\n- {n_layers: 2}")
    subject = find_subject(SubjectSettings(config=Path("list.yaml")))
    assert subject.config["width_1"] == 8
    assert subject.config["weight_decay"] == 1e-3  # which YAML takes for text


def test_the_figure_shows_the_curves_and_the_bounds() -> None:
    data = load("digits")
    config = {**SMALL["mlp"], "lr": 1.0}
    sweep = run_range_test(NETWORKS["mlp"], config, data, iterations=80, device=torch.device("cpu"))
    bounds = find_bounds(sweep)
    figure = range_figure(sweep, bounds)
    raw, smoothed, validation, accuracy = figure.data
    assert tuple(raw.x) == sweep.lrs
    assert tuple(raw.y) == sweep.train_losses
    assert min(smoothed.x) == pytest.approx(1e-5)
    assert list(validation.y) == [point.loss for point in sweep.validations]
    assert list(accuracy.y) == [point.quality for point in sweep.validations]
    assert accuracy.yaxis == "y2"
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range  # its own: else the names of the bounds widen it
    assert low < math.log10(sweep.lrs[0]) < math.log10(sweep.lrs[-1]) < high < low + 7
    marks = {note.text: note.x for note in figure.layout.annotations}
    assert marks == {
        f"base_lr {bounds.base_lr:.3g}": math.log10(bounds.base_lr),
        f"max_lr {bounds.max_lr:.3g}": math.log10(bounds.max_lr),
    }


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--low 1 --high 0.1", "--high must be above --low = 1, not 0.1"),
        ("--cpus 100000", "--cpus 100000 is above "),
        ("--low 0", "0 is not above 0"),
        ("--iterations 0", "0 is below 10"),
        ("--iterations 50 --epochs 3", "--iterations 50 and --epochs 3: give one"),
        ("--iterations 9", "9 is below 10, the smallest value allowed"),
        ("--epochs 0", "0 is not above 0"),
        ("--divisor 1", "1 is not above 1"),
        ("--growth cubic", "'cubic' is none of 'exponential' or 'linear'"),
        ("--data gone.csv --target y", "file 'gone.csv' does not exist"),
        ("--data wine.csv", "needs a target"),
        ("--model cnn --data wine.csv --target target", "a CNN needs images; 'wine' is a table"),
        ("--config gone.yaml", "--config gone.yaml cannot be read: No such file"),
        ("--config bad.yaml", "--config bad.yaml is not valid YAML"),
        ("--config empty.yaml", "--config empty.yaml holds no config"),
        ("--model cnn --config config.yaml", "unknown hyperparameter 'n_layers'"),
        ("--from runs/gone", "no run in runs/gone"),
        ("--from runs/it --model mlp", "--from runs/it has the model cnn, not mlp"),
        ("--from runs/it --config config.yaml", "give one of the two"),
        ("--from runs/own", "--from runs/own searched mine:train, not mlp or cnn"),
        ("--from runs/none", "--from runs/none: the run has no sound trial"),
        ("--output runs", "--output runs exists"),
        ("--config sawtooth.yaml", "the policy sawtooth is none of one_cycle, triangular"),
        ("--config config.yaml --low 1e-8 --high 1e-6", "no usable slope: the loss never falls"),
        ("--config config.yaml --low 20 --high 100", "diverged at once"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], options: str, part: str
) -> None:
    write_wine()
    write_config("mlp")
    best_of_three()
    Path("bad.yaml").write_text("{")
    Path("empty.yaml").write_text("[]")
    Path("sawtooth.yaml").write_text("policy: sawtooth")
    write_run(Path("runs/own"), trainable="mine:train")
    write_run(Path("runs/none"))
    before = sorted(Path().rglob("*"))
    assert main(lr_range_test.app, options.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert part in captured.err
    assert not captured.out
    assert sorted(Path().rglob("*")) == before
