"""The command as a user types it: real searches on the suite's Ray, and every bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from PIL import Image

from pipelines import report, run
from pipelines.cli.command import main
from pipelines.cluster.connect import Cluster
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.record import load_spec, load_trials
from pipelines.search.trials import State, best_trial
from pipelines.search.zoom import zoom_run
from search_spaces import SPACES
from trainables.data.datasets import load
from trainables.networks import NETWORKS
from trainables.training.batches import to_tensor
from trainables.training.metrics import METRICS
from trainables.training.objective import objective_of

pytestmark = pytest.mark.usefixtures("elsewhere")

CSV_ROWS = 60


def search(*options: str) -> Path:
    """Run a search of four trials that must succeed; its folder."""
    assert main(run.app, ["--trials", "4", "--max-epochs", "3", "--name", "it", *options]) == 0
    return Path("runs/it")


def validation_accuracy(folder: Path) -> float:
    """Of the saved weights in a network built from the record alone."""
    spec = load_spec(folder)
    best = best_trial(load_trials(folder), METRICS[spec["metric"]])
    assert best is not None
    data = load(spec["data"], target=spec["target"], seed=spec["seed"])
    _, model = NETWORKS[spec["model"]].build(best.config, data)
    model.load_state_dict(torch.load(folder / "best.pt", weights_only=True))
    model.eval()
    cpu = torch.device("cpu")
    with torch.no_grad():
        outputs = model(to_tensor(data.x_val, cpu))
    return objective_of(data).quality(outputs, to_tensor(data.y_val, cpu))


@pytest.mark.parametrize("algo", ALGORITHMS)
@pytest.mark.parametrize("model", SPACES)
def test_every_algorithm_searches_every_network(cluster: Cluster, algo: str, model: str) -> None:
    levels = [f"--levels={name}=1" for name in SPACES[model].grid_levels if name != "lr"]
    one = ["--max-concurrent", "1"]  # a process less to start; others test two at a time
    folder = search("--algo", algo, "--model", model, *levels, "--levels", "lr=4", *one)
    trials = load_trials(folder)
    assert len(trials) == 4
    assert all(SPACES[model].contains(trial.config) for trial in trials)
    assert len((folder / "trials.csv").read_text().splitlines()) == 5
    best = best_trial(trials, METRICS["val_accuracy"])
    assert best is not None
    assert best.value == pytest.approx(validation_accuracy(folder))


def test_stopped_trials_are_recorded_as_pruned_with_their_curve(cluster: Cluster) -> None:
    folder = search("--algo", "random", "--trials", "8", "--reduction-factor", "2")
    pruned = [t for t in load_trials(folder) if t.stopped_by == "scheduler"]
    assert pruned
    for trial in pruned:
        assert trial.state is State.PRUNED
        assert list(trial.curve) == list(range(1, trial.epochs + 1))
        assert trial.epochs < 3


def test_the_same_seed_gives_the_same_search(cluster: Cluster) -> None:
    options = ["--trials", "3", "--max-epochs", "2", "--max-concurrent", "1", "--seed", "5"]
    assert main(run.app, [*options, "--name", "a"]) == 0
    assert main(run.app, [*options, "--name", "b"]) == 0
    first, second = load_trials(Path("runs/a")), load_trials(Path("runs/b"))
    assert [(t.config, dict(t.curve)) for t in first] == [(t.config, dict(t.curve)) for t in second]


def test_a_search_begins_from_given_configs_and_another_run(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--fix", "n_layers=1", "--range", "lr=1e-3..1e-1", "--max-parameters", "5000"]
    search(*options)
    config = {**load_trials(Path("runs/it"))[0].config, "width_1": 20}
    Path("mine.yaml").write_text(json.dumps([config]))
    capsys.readouterr()
    more = ["--seed-from", "runs/it", "--start-with", "mine.yaml", "--max-concurrent", "1"]
    assert main(run.app, [*options, *more, "--name", "on", "--trials", "3"]) == 0
    assert "history   4 trials of runs/it" in capsys.readouterr().out
    trials = load_trials(Path("runs/on"))
    assert trials[0].config == config
    network, data = NETWORKS["mlp"], load("digits")
    for trial in trials + load_trials(Path("runs/it")):
        assert trial.config["n_layers"] == 1
        assert 1e-3 <= float(trial.config["lr"]) <= 1e-1
        assert network.size(trial.config, data) <= 5000


def test_a_search_zooms_in_on_another_run(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    run_before = search("--algo", "random", "--trials", "8")
    options = ["--zoom-from", str(run_before), "--algo", "gp", "--trials", "3", "--name", "on"]
    capsys.readouterr()
    assert main(run.app, [*options, "--max-epochs", "2"]) == 0
    assert "parameter" in capsys.readouterr().out
    zoomed, _ = zoom_run(run_before)
    assert all(zoomed.contains(trial.config) for trial in load_trials(Path("runs/on")))
    assert main(run.app, [*options, "--model", "cnn"]) == 2
    assert "has the model mlp, not cnn" in capsys.readouterr().err


def test_a_regression(cluster: Cluster) -> None:
    folder = search("--data", "diabetes", "--algo", "hyperopt")
    assert load_spec(folder)["metric"] == "val_r2"
    assert {"val_r2", "val_loss", "train_r2"} <= set(load_trials(folder)[0].metrics)


def test_a_table_of_the_users_with_categories_and_holes(cluster: Cluster) -> None:
    rng = np.random.default_rng(0)
    lines = ["size,colour,kind"]
    for i in range(CSV_ROWS):
        size = "" if i % 7 == 0 else f"{rng.normal() + i % 2:.3f}"
        lines.append(f"{size},{'' if i % 5 == 0 else ['red', 'blue'][i % 2]},{'ab'[i % 2]}")
    Path("mine.csv").write_text("\n".join(lines) + "\n")
    folder = search("--data", "mine.csv", "--target", "kind")
    best = best_trial(load_trials(folder), METRICS["val_accuracy"])
    assert best is not None
    assert best.value == pytest.approx(validation_accuracy(folder))


def test_a_folder_of_images(cluster: Cluster) -> None:
    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        Path("photos", label).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(level - 40, level + 40, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos", label, f"{i}.png"))
    folder = search("--data", "photos", "--model", "cnn")
    assert len(load_trials(folder)) == 4


def test_the_record_says_what_was_run(cluster: Cluster) -> None:
    folder = search("--data", "wine", "--seed", "3", "--target-value", "0.1")
    spec = load_spec(folder)
    assert spec["seed"] == 3
    assert spec["data_fingerprint"] == load("wine").fingerprint
    assert set(spec["space"]) == set(SPACES["mlp"].domains)
    assert spec["versions"]["ray"]


def test_checkpoints_in_a_storage_of_their_own(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search("--storage", "shared")
    assert any(Path("shared/it").rglob("weights.pt"))
    assert not (folder / "ray").exists()
    best = best_trial(load_trials(folder), METRICS["val_accuracy"])
    assert best is not None
    assert best.value == pytest.approx(validation_accuracy(folder))
    assert main(run.app, ["--storage", "shared", "--name", "it", "--runs-dir", "other"]) == 2
    assert "has a run 'it' in it" in capsys.readouterr().err


def test_a_target_value_ends_the_search(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search("--trials", "50", "--target-value", "0.05")
    assert len(load_trials(folder)) < 50
    assert "stopped at the target value" in capsys.readouterr().out
    assert (folder / "best.pt").exists()


def test_a_time_budget_ends_the_search_and_keeps_what_was_reached(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    search("--trials", "100000", "--time-budget", "12s", "--max-epochs", "100000")
    assert "stopped at the time budget" in capsys.readouterr().out
    assert any(t.stopped_by == "time budget" for t in load_trials(Path("runs/it")))


def test_the_report_lists_the_best_first(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search()
    capsys.readouterr()
    assert main(report.app, [str(folder), "--top", "2"]) == 0
    values = [float(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--algo", "grid", "--levels", "lr=5", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"a grid of {SPACES['mlp'].grid_size({'lr': 5})} configs" in shown
    assert all(name in shown for name in SPACES["mlp"].domains)
    assert not list(Path().iterdir())


def write_bad_inputs() -> None:
    Path("empty.csv").write_text("")
    Path("one.csv").write_text("x,y\n" + "1,a\n" * 20)
    Path("lonely.csv").write_text("x,y\n" + "1,a\n2,b\n" * 10 + "3,c\n")
    Path("bare").mkdir()
    for label in "ab":
        Path("photos", label).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (9, 9)).save(Path("photos", label, f"{i}.png"))
    Path("photos/b/broken.png").write_bytes(b"no picture")
    Path("runs/taken").mkdir(parents=True)
    Path("mine.py").write_text("SPACE = 3\n\ndef train(): ...\n")
    Path("bad.yaml").write_text("- {lr: 0.1}\n")
    Path("broken.py").write_text("raise KeyError('oops')\n")


BAD = [
    ("--algo optun", "optun", "optuna"),
    ("--model rnn", "rnn", "cnn"),
    ("--data digit", "digit", "digits"),
    ("--scheduler medium", "medium", "median"),
    ("--metric f1", "f1", "val_loss"),
    ("--data gone.csv --target y", "gone.csv", "does not exist"),
    ("--data empty.csv --target y", "empty.csv", "empty"),
    ("--data one.csv --target z", "'z'", "'x', 'y'"),
    ("--data one.csv", "one.csv", "target"),
    ("--data one.csv --target y", "'a'", "at least 2"),
    ("--data lonely.csv --target y", "'c'", "at least 3"),
    ("--data bare", "bare", "sub-folder"),
    ("--data photos", "broken.png", "decoded"),
    ("--data wine --model cnn", "wine", "images"),
    ("--data diabetes --metric val_accuracy", "val_accuracy", "val_r2"),
    ("--data-fraction 1.5", "1.5", "at most 1"),
    ("--trials 0", "0", "below 1"),
    ("--trials many", "many", "whole number"),
    ("--max-epochs -1", "-1", "below 1"),
    ("--time-budget -5m", "-5m", "20m"),
    ("--target-value nan", "nan", "finite"),
    ("--reduction-factor 1", "1", "above 1"),
    ("--grace-period 9 --max-epochs 4", "9", "4"),
    ("--gpus-per-trial 0.3", "0.3", "1/3"),
    ("--gpus-per-trial 2", "2", "1 GPUs"),
    ("--cpus-per-trial 3", "3", "2 CPUs"),
    ("--cpus-per-trial 0", "0", "above 0"),
    ("--max-concurrent 0", "0", "below 1"),
    ("--name taken", "taken", "exists"),
    ("--name a/b", "a/b", "letters"),
    ("--storage /proc/none", "/proc/none", "cannot be written"),
    ("--runs-dir /proc/none", "/proc/none", "cannot be written"),
    ("--seed -1", "-1", "below 0"),
    ("--algo grid --trials 3", "36", "--levels"),
    ("--algo grid --levels depth=3", "depth", "n_layers"),
    ("--levels lr", "'lr'", "lr=5"),
    ("--trainable gone:train --space mine:SPACE", "gone", "imported"),
    ("--trainable mine:test --space mine:SPACE", "mine", "test"),
    ("--trainable broken:train --space mine:SPACE", "broken", "oops"),
    ("--trainable mine:train", "mine:train", "--space"),
    ("--space mine:SPACE", "mine:SPACE", "SearchSpace"),
    ("--fix depth=3", "depth", "n_layers"),
    ("--fix lr=fast", "fast", "not a number"),
    ("--range lr=1..0.1", "1..0.1", "low must not be above high"),
    ("--range optimizer=a..b", "optimizer", "no range"),
    ("--max-parameters 0", "0", "above 0"),
    ("--zoom-from gone", "gone", "no run"),
    ("--seed-from gone", "gone", "no run"),
    ("--start-with gone.yaml", "gone.yaml", "cannot be read"),
    ("--start-with bad.yaml", "config 1", "is missing"),
    ("--nonsense", "--nonsense", "No such option"),
]


@pytest.mark.parametrize(("options", "value", "rule"), BAD, ids=[case[0] for case in BAD])
def test_bad_input_is_one_line_that_names_value_and_rule(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    options: str,
    value: str,
    rule: str,
) -> None:
    write_bad_inputs()
    before = sorted(Path().rglob("*"))
    assert main(run.app, options.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert value in shown.err
    assert rule in shown.err
    assert [p for p in sorted(Path().rglob("*")) if "__pycache__" not in str(p)] == before


def test_an_address_where_nothing_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    assert main(run.app, ["--address", "127.0.0.1:1"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "127.0.0.1:1" in shown


def test_the_journal_is_valid_json_by_line(cluster: Cluster) -> None:
    folder = search("--trials", "2")
    for line in (folder / "study.journal").read_text().splitlines():
        json.loads(line)
