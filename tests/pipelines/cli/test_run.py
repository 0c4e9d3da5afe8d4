"""The command as a user types it: real searches on the suite's Ray."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines import report, run
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster
from pipelines.record.trials import State, best_trial
from pipelines.study.narrowing import for_data
from pipelines.study.runs import open_run
from pipelines.study.study_file import read_study
from pipelines.study.zoom import zoom
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Rules
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from search_spaces import SPACES, Float
from tests.pipelines.recorded import write_run
from tests.pipelines.running import spec_of
from trainables.data.datasets import TrialData, load, load_folds
from trainables.networks import NETWORKS
from trainables.training.batches import to_tensor
from trainables.training.metrics import METRICS
from trainables.training.objective import objective_of

pytestmark = pytest.mark.usefixtures("elsewhere")

CSV_ROWS = 60


def search(*options: str) -> Path:
    """Runs a search of four trials that must succeed. Returns its folder."""
    assert main(run.app, ["--trials", "4", "--max-epochs", "3", "--name", "it", *options]) == 0
    return Path("runs/it")


@pytest.fixture(scope="module")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search, for tests that only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("finished"))
        return search().absolute()


def test_a_search_whose_name_another_one_took_meanwhile_says_nothing_of_going_on(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were started in the same second, without a name."""
    other = write_run(Path("runs/it").absolute())
    sessions = other / "sessions.jsonl"
    sessions.write_text(sessions.read_text().replace(f'"process":{os.getpid()}', '"process":1'))
    monkeypatch.setattr("pipelines.study.prepare.new_run_folder", lambda *_: other)
    assert main(run.app, ["--trials", "1"]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.endswith("/runs/it: choose another --name")


@pytest.fixture
def copied(finished: Path, elsewhere: Path) -> Path:
    """A copy of a finished search that a test may change."""
    return Path(shutil.copytree(finished, "runs/it"))


def validation_accuracy(folder: Path) -> float:
    """The accuracy of the saved weights in a network that is built from the record alone."""
    problem, seed = open_run(folder).spec.problem, open_run(folder).spec.search.seed
    weights = torch.load(folder / "best.pt", weights_only=True)
    return accuracy(folder, load(problem.data, target=problem.target, seed=seed), weights)


def accuracy(folder: Path, data: TrialData, weights: dict[str, torch.Tensor]) -> float:
    """The accuracy of the weights in the network of the best config."""
    run = open_run(folder)
    assert run.best is not None
    _, model = NETWORKS[run.spec.problem.model].build(run.best.config, data)
    model.load_state_dict(weights)
    model.eval()
    cpu = torch.device("cpu")
    with torch.no_grad():
        outputs = model(to_tensor(data.x_val, cpu))
    return objective_of(data).quality(outputs, to_tensor(data.y_val, cpu))


@pytest.mark.parametrize(
    ("model", "algo"),
    [
        pytest.param(model, algo, marks=pytest.mark.slow if covered else ())
        for model in SPACES
        for algo in ALGORITHMS
        for covered in [model != "mlp" and algo != "optuna"]
    ],
)
def test_every_algorithm_searches_every_network(cluster: Cluster, model: str, algo: str) -> None:
    levels = [f"--levels={name}=1" for name in SPACES[model].grid_levels if name != "lr"]
    one = ["--max-concurrent", "1"]  # one process less to start; other tests run two at a time
    folder = search("--algo", algo, "--model", model, *levels, "--levels", "lr=4", *one)
    trials = open_run(folder).finished
    assert len(trials) == 4
    assert all(SPACES[model].contains(trial.config) for trial in trials)
    assert len((folder / "trials.csv").read_text().splitlines()) == 5
    best = best_trial(trials, METRICS["val_accuracy"])
    assert best is not None
    assert best.value == pytest.approx(validation_accuracy(folder))


def test_stopped_trials_are_recorded_as_pruned_with_their_curve(cluster: Cluster) -> None:
    folder = search("--algo", "random", "--trials", "8", "--reduction-factor", "2")
    pruned = [t for t in open_run(folder).finished if t.stopped_by == "scheduler"]
    assert pruned
    for trial in pruned:
        assert trial.state is State.PRUNED
        assert list(trial.curve) == list(range(1, trial.epochs + 1))
        assert trial.epochs < 3


def test_a_search_begins_from_given_configs_and_another_run(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--fix", "n_layers=1", "--range", "lr=1e-3..1e-1", "--max-parameters", "5000"]
    search(*options)
    config = {**open_run("runs/it").finished[0].config, "width_1": 20}
    Path("mine.yaml").write_text(json.dumps([config]))
    capsys.readouterr()
    more = ["--seed-from", "runs/it", "--start-with", "mine.yaml", "--max-concurrent", "1"]
    assert main(run.app, [*options, *more, "--name", "on", "--trials", "3"]) == 0
    assert "history   4 trials of runs/it" in capsys.readouterr().out
    trials = open_run("runs/on").finished
    assert trials[0].config == config
    network, data = NETWORKS["mlp"], load("digits")
    for trial in trials + open_run("runs/it").finished:
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
    before = open_run(run_before)
    zoomed, _ = zoom(before.space, before.finished, METRICS["val_accuracy"])
    assert all(zoomed.contains(trial.config) for trial in open_run("runs/on").finished)
    assert main(run.app, [*options, "--model", "cnn"]) == 2
    assert "has the model mlp, not cnn" in capsys.readouterr().err


def test_a_regression(cluster: Cluster) -> None:
    folder = search("--data", "diabetes", "--algo", "hyperopt", "--plot-schedule")
    assert (folder / "schedule.html").is_file()
    assert open_run(folder).metric == "val_r2"
    assert {"val_r2", "val_loss", "train_r2"} <= set(open_run(folder).finished[0].metrics)


def test_a_search_for_an_error_in_the_units_of_the_target(cluster: Cluster) -> None:
    folder = search("--data", "diabetes", "--metric", "val_rmse", "--range", "lr=1e-3..1000")
    trials = open_run(folder).finished
    best = best_trial(trials, METRICS["val_rmse"])
    assert best is not None
    assert best.value == min(t.value for t in trials if t.value is not None)
    std = load("diabetes").target_std
    assert std > 50
    assert best.value == pytest.approx(best.metrics["val_loss"] ** 0.5 * std)
    assert set(best.metrics) >= {"val_r2", "val_rmse", "val_mae", "val_loss"}
    worst = METRICS["val_rmse"].worst * std
    assert {t.value for t in trials if t.diverged} <= {worst}


def test_a_table_of_the_users_with_categories_and_holes(cluster: Cluster) -> None:
    rng = np.random.default_rng(0)
    lines = ["size,colour,kind"]
    for i in range(CSV_ROWS):
        size = "" if i % 7 == 0 else f"{rng.normal() + i % 2:.3f}"
        lines.append(f"{size},{'' if i % 5 == 0 else ['red', 'blue'][i % 2]},{'ab'[i % 2]}")
    Path("mine.csv").write_text("\n".join(lines) + "\n")
    folder = search("--data", "mine.csv", "--target", "kind")
    (fitted,) = open_run(folder).preprocessing
    assert fitted == load("mine.csv", target="kind").preprocessing
    # a size and whether it is missing; 3 colours, one of them missing
    assert fitted.transform("mine.csv").shape == (CSV_ROWS, 5)
    best = best_trial(open_run(folder).finished, METRICS["val_accuracy"])
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
    assert len(open_run(folder).finished) == 4


def test_the_record_says_what_was_run(cluster: Cluster) -> None:
    options = ["--fix", "n_layers=2", "--range", "lr=1e-3..0.1", "--max-parameters", "1e6"]
    folder = search("--data", "wine", "--seed", "3", "--target-value", "0.1", *options)
    run = open_run(folder)
    assert run.spec.search.seed == 3
    assert run.spec.budget.target_value == 0.1
    assert run.spec.space.fix == {"n_layers": 2}
    assert run.spec.space.range == {"lr": (1e-3, 0.1)}
    assert run.spec.space.max_parameters == 1e6
    assert run.data.fingerprint == load("wine").fingerprint
    assert run.space.domains["lr"] == Float(1e-3, 0.1, log=True)
    assert run.forbids == "more than 1e+06 parameters"
    assert run.versions["ray"]
    assert run.algorithm == ALGORITHMS[run.spec.search.algo].words != ""


def test_the_record_is_a_study_file_that_gives_the_same_search(cluster: Cluster) -> None:
    options = [
        "--max-concurrent",
        "1",
        "--fix",
        "n_layers=2",
        "--time-budget",
        "20m",
        "--seed",
        "5",
    ]
    folder = search("--algo", "optuna", "--trials", "5", "--gpus-per-trial", "1/3", *options)
    again = ["--study", str(folder / "spec.json"), "--name", "again"]
    assert main(run.app, again) == 0
    first, second = open_run(folder), open_run("runs/again")
    assert second.spec == first.spec.but(run={"name": "again"})
    assert len(second.finished) == 5
    for a, b in zip(first.finished, second.finished, strict=True):
        assert (a.config, dict(a.curve), a.state) == (b.config, dict(b.curve), b.state)


def test_options_go_before_a_study_file(cluster: Cluster) -> None:
    Path("mine.yaml").write_text(
        "problem: {data: wine}\nbudget: {trials: 9, max_epochs: 2}\nrun: {name: theirs}\n"
    )
    assert main(run.app, ["--study", "mine.yaml", "--trials", "2", "--name", "it"]) == 0
    spec = open_run("runs/it").spec
    assert (spec.problem.data, spec.budget.trials, spec.budget.max_epochs) == ("wine", 2, 2)


def test_a_study_file_with_all_settings_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(run.app, ["--print-study", "--trials", "7", "--fix", "lr=0.1"]) == 0
    Path("mine.yaml").write_text(capsys.readouterr().out)
    assert read_study("mine.yaml") == spec_of(trials=7, fix={"lr": 0.1})
    assert list(Path().iterdir()) == [Path("mine.yaml")]


def test_the_network_of_a_record_by_hand_needs_only_the_record(cluster: Cluster) -> None:
    folder = search("--folds", "3", "--trials", "2")
    weights = torch.load(folder / "best.pt", weights_only=True)
    assert {name.partition(".")[0] for name in weights} == {"0", "1", "2"}  # the folds
    found = []
    for fold, data in zip("012", load_folds("digits", 3), strict=True):
        own = {name[2:]: tensor for name, tensor in weights.items() if name[0] == fold}
        found.append(accuracy(folder, data, own))
    best = open_run(folder).best
    assert best is not None
    assert best.value == pytest.approx(np.mean(found))
    assert len(open_run(folder).preprocessing) == 3


def test_checkpoints_in_a_storage_of_their_own(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search("--storage", "shared")
    assert any(Path("shared/it").rglob("weights.pt"))
    assert not (folder / "ray").exists()
    best = best_trial(open_run(folder).finished, METRICS["val_accuracy"])
    assert best is not None
    assert best.value == pytest.approx(validation_accuracy(folder))
    assert main(run.app, ["--storage", "shared", "--name", "it", "--runs-dir", "other"]) == 2
    assert "has a run 'it' in it" in capsys.readouterr().err


def test_a_target_value_ends_the_search(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search("--trials", "50", "--target-value", "0.05")
    assert len(open_run(folder).finished) < 50
    assert "stopped at the target value" in capsys.readouterr().out
    assert (folder / "best.pt").exists()


def test_a_time_budget_ends_the_search_and_keeps_what_was_reached(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is up after the first epoch."""
    ledgers: list[TrialLedger] = []

    def ledger(rules: Rules, **more: Any) -> TrialLedger:
        def clock() -> float:
            return 9.0 if any(made.incumbent for made in ledgers) else 0.0

        ledgers.append(TrialLedger(rules, clock, **more))
        return ledgers[-1]

    monkeypatch.setattr("pipelines.study.run_study.TrialLedger", ledger)
    search("--trials", "100000", "--time-budget", "8s", "--max-epochs", "100000")
    shown = capsys.readouterr().out
    assert "stopped at the time budget" in shown
    assert "--time-budget" in next(line for line in shown.splitlines() if line.startswith("go on"))
    assert any(t.stopped_by == "time budget" for t in open_run("runs/it").finished)


def test_the_report_lists_the_best_first(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report.app, [str(copied), "--top", "2"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    values = [float(value) for value in re.findall(r"^ +\d+   (0\.\d{4})  epoch", shown, re.M)]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)
    assert re.search(r"^trials    4: ", shown, re.M)


def test_the_report_of_a_search_that_was_killed_makes_its_table(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = (copied / "trials.csv").read_text()
    (copied / "trials.csv").unlink()
    assert main(report.app, [str(copied)]) == 0
    assert (copied / "trials.csv").read_text() == table
    # The embedding of numbers does not matter for images.
    assert "param.num_embedding" in table
    assert "embedding" not in capsys.readouterr().out + (copied / "report.html").read_text()


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--algo", "grid", "--levels", "lr=5", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"a grid of {SPACES['mlp'].grid_size({'lr': 5})} configs" in shown
    space = for_data(SPACES["mlp"], NETWORKS["mlp"], load("digits"))
    assert {name for name in space.domains if f"\n  {name} " not in shown} == space.idle
    assert not list(Path().iterdir())


def test_the_journal_is_valid_json_by_line(finished: Path) -> None:
    entries = [json.loads(line) for line in (finished / "study.journal").read_text().splitlines()]
    assert len(entries) > 4  # the study and its four trials at least
    assert all(isinstance(entry, dict) for entry in entries)
