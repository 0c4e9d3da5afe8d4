"""One look at the test set: what is trained, read and kept, and what is refused."""

from __future__ import annotations

import fcntl
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from benchmarks.sets.configs import LENET
from pipelines import evaluate, export, load_model, report
from pipelines.cli.command import main
from pipelines.cli.report import look_lines
from pipelines.cluster.machines import Cluster
from pipelines.record.looks import Look, add_look, read_looks
from pipelines.record.trials import FinishedTrial, State
from pipelines.results.page.model import Table, Words
from pipelines.results.run_page import report_page
from pipelines.study.runs import Run, open_run
from pipelines.winner import evaluation, selection, training
from pipelines.winner.candidates import candidate, chosen_of, winner
from pipelines.winner.settings import Chosen
from pipelines.winner.training import train_all
from tests.pipelines.recorded import write_run
from trainables.data.datasets import TestData, load, load_test
from trainables.networks import ensemble
from trainables.training.metrics import metrics_of

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 16, "width_2": 16, "lr": 0.01}


def trial(name: str, value: float, **more: object) -> FinishedTrial:
    values = {
        "config": {**CONFIG, "width_1": 16 + int(name, 36) % 16},
        "state": State.COMPLETE,
        "curve": {1: value / 2, 2: value, 3: value / 3},
        "value": value,
        "best_epoch": 2,
        **more,
    }
    return FinishedTrial(trial_id=name, **values)  # type: ignore[arg-type]


def searched(data: str = "wine", *trials: FinishedTrial, **settings: Any) -> Path:
    """A run as a search of ``data`` would have left it."""
    if not trials:
        trials = (trial("a", 0.8), trial("b", 0.9), trial("c", 0.7))
    fingerprint = load(data).fingerprint
    folder = Path("runs/it")
    write_run(folder, trials, data=data, fingerprint=fingerprint, max_epochs=3, **settings)
    return folder


def test_the_winner_is_trained_on_all_but_the_test_set_which_is_read_once(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[TestData] = []
    folder = searched()

    def read(*arguments: object) -> TestData:
        with (folder / "spec.json").open("r+b") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as another evaluation would
        reads.append(load_test("wine"))
        return reads[-1]

    monkeypatch.setattr(evaluation, "load_test_rows", read)
    assert main(evaluate.app, [str(folder), "--seeds", "3"]) == 0
    shown = capsys.readouterr().out
    assert "trial 1   val_accuracy 0.9000, 2 of 3 epochs" in shown
    assert len(reads) == 1
    (look,) = open_run(folder).looks
    data = load("wine")
    assert look.trained_on == len(data.x_train) + len(data.x_val)
    assert (look.trials, look.epochs, look.seeds) == ((1,), (2,), (1, 2, 3))
    assert set(look.values) == {n.replace("val_", "test_") for n in metrics_of("classification")}
    assert np.array(look.confusion).sum() == pytest.approx(len(reads[0].x))
    shares = np.trace(np.array(look.confusion)) / len(reads[0].x)
    assert look.mean("test_accuracy") == pytest.approx(shares)
    told = (
        rf"test_accuracy {look.mean('test_accuracy'):.4f} \+- {look.deviation('test_accuracy'):.4f}"
    )
    assert re.search(told, shown)
    assert "test_accuracy" in (folder / "report.html").read_text()
    assert main(report.app, [str(folder)]) == 0
    assert re.search(told, capsys.readouterr().out)


def test_of_two_evaluations_at_once_one_reads_the_test_set(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = searched()
    assert main(evaluate.app, [str(folder), "--seeds", "1"]) == 0
    looks = open_run(folder).files.looks
    other = looks.read_text()
    looks.unlink()

    def while_it_trains(*arguments: Any) -> list[Any]:
        networks = train_all(*arguments)
        looks.write_text(other)
        return networks

    monkeypatch.setattr(training, "train_all", while_it_trains)
    monkeypatch.setattr(evaluation, "load_test_rows", None)  # not read
    assert main(evaluate.app, [str(folder), "--seeds", "1"]) == 2
    assert "has looked at its test set once" in capsys.readouterr().err
    assert looks.read_text() == other


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (nn.Linear(5, 3), r"does not take inputs of the shape \(2, 13\), .*: mat1 and mat2 shapes"),
        (nn.Linear(13, 4), r"has outputs of the shape \(2, 4\) for 2 samples, not \(2, 3\)"),
    ],
)
def test_a_users_network_that_does_not_fit_is_refused_before_the_test_set_is_read(
    network: nn.Module, words: str
) -> None:
    with pytest.raises(ValueError, match=f"the network that mine:train yields {words}"):
        evaluation.check_network(network, load("wine"), "mine:train")
    evaluation.check_network(nn.Linear(13, 3), load("wine"), "mine:train")


def test_a_second_look_is_refused_unless_it_is_asked_for_and_counted(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = searched("diabetes", metric="val_r2")
    assert main(evaluate.app, [str(folder), "--seeds", "1"]) == 0
    before = (folder / "evaluation.json").read_text()
    capsys.readouterr()
    assert main(evaluate.app, [str(folder)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "has looked at its test set once" in shown.err
    assert "--again" in shown.err
    assert (folder / "evaluation.json").read_text() == before
    assert main(evaluate.app, [str(folder), "--again", "--ensemble", "3", "--seeds", "2"]) == 0
    assert "looks     2 at this test set" in capsys.readouterr().out
    first, second = open_run(folder).looks
    assert (first.seeds, second.seeds, second.among) == ((1,), (1, 2), 3)
    pairs = np.array(second.predicted)
    data, test = load("diabetes"), load_test("diabetes")
    assert pairs[:, 0] == pytest.approx(test.y * data.target_std + data.target_mean, rel=1e-4)
    assert 30 < second.mean("test_rmse") < 200
    # The mean of several predictions is no further from the targets than they are on average.
    assert (first.n_networks, second.n_networks) == (1, 2 * len(second.trials))
    assert first.together["test_r2"] == first.mean("test_r2")
    assert second.together["test_rmse"] <= second.mean("test_rmse")


@pytest.mark.parametrize(("std", "mean"), [(1e-9, 2e-9), (100.0, 1.7e9), (1e200, 0.0)])
def test_the_record_tells_predictions_of_targets_of_any_size_apart(std: float, mean: float) -> None:
    data, test = load("diabetes"), load_test("diabetes")
    data = replace(data, target_std=std, target_mean=mean)
    found = evaluation._judged(data, test, [[nn.Linear(10, 1)]], [1])
    targets, predictions = (np.array(found["predicted"]).T - mean) / std
    assert targets == pytest.approx(test.y, abs=1e-5)
    assert len(set(predictions)) == len(test.y)


def test_a_seed_with_which_a_training_diverges_is_left_out_and_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = searched()
    diverging = {2}

    def some_diverge(run: Run, data: Any, trainings: Any, done: Any) -> list[Any]:
        models = train_all(run, data, trainings, done)
        pairs = zip(trainings, models, strict=True)
        return [None if once.seed in diverging else model for once, model in pairs]

    monkeypatch.setattr(training, "train_all", some_diverge)
    assert main(evaluate.app, [str(folder), "--seeds", "3"]) == 0
    told = "a training with seed 2 diverged: left out"
    assert f"diverged  {told}" in capsys.readouterr().out
    (look,) = open_run(folder).looks
    assert (look.seeds, look.diverged, look.n_networks) == ((1, 3), (2,), 2)
    assert len(look.values["test_accuracy"]) == 2
    page = (folder / "report.html").read_text()
    assert told[1:] in page
    assert r"with \u003ccode>--seeds 3\u003c/code>." in page
    assert main(export.app, [str(folder), "model", "--seeds", "3"]) == 0
    assert load_model("model").about["seeds"] == [1, 3]
    capsys.readouterr()
    diverging |= {1, 3}
    assert main(evaluate.app, [str(folder), "--seeds", "3", "--again"]) == 2
    assert "with every seed a training of trial 1 diverged" in capsys.readouterr().err
    assert len(open_run(folder).looks) == 1


def test_an_ensemble_loses_the_trial_whose_training_diverged(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = searched()
    numbers = [c.number for c in chosen_of(open_run(folder), Chosen(ensemble=3))]
    lost, *others = numbers
    diverging = {lost}

    def some_diverge(run: Run, data: Any, trainings: Any, done: Any) -> list[Any]:
        models = train_all(run, data, trainings, done)
        unsound = [dict(run.finished[number].config) for number in diverging]
        pairs = zip(trainings, models, strict=True)
        return [None if t.seed == 1 and dict(t.config) in unsound else m for t, m in pairs]

    monkeypatch.setattr(training, "train_all", some_diverge)
    monkeypatch.setattr(ensemble, "select", lambda outputs, task, loss: [3, 2, 1])
    options = ["--ensemble", "3", "--seeds", "2"]
    assert main(evaluate.app, [str(folder), *options]) == 0
    told = f"a training of trial {lost} diverged: left out"
    assert f"diverged  {told}" in capsys.readouterr().out
    assert told[1:] in (folder / "report.html").read_text()
    (look,) = open_run(folder).looks
    assert (list(look.trials), look.weights, look.seeds) == (others, (2, 1), (1, 2))
    assert main(export.app, [str(folder), "model", *options]) == 0
    about = load_model("model").about
    assert [member["trial"] for member in about["trials"]] == others
    assert about["test"]["together"] == look.together
    diverging |= set(others)  # if no network were left, the seed is left out
    assert main(evaluate.app, [str(folder), *options, "--again"]) == 0
    look = open_run(folder).looks[-1]
    assert (list(look.trials), look.seeds, look.diverged) == (numbers, (2,), (1,))


def test_an_ensemble_all_of_whose_trainings_diverge_is_refused(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_diverge(run: Run, data: Any, trainings: Any, done: Any) -> list[None]:
        return [None] * len(trainings)

    monkeypatch.setattr(selection, "train_all", all_diverge)
    assert main(evaluate.app, [str(searched()), "--ensemble", "3"]) == 2
    refused = "error: all trainings for the ensemble diverged: choose a --trial\n"
    assert capsys.readouterr().err == refused


@pytest.mark.parametrize(
    ("data", "options"),
    [("wine", "--seeds 2"), ("wine", "--trial 0 --seeds 1"), ("diabetes", "--ensemble 3")],
)
def test_what_was_tested_together_is_exported_as_one_model(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], data: str, options: str
) -> None:
    regression = data == "diabetes"
    folder = searched(data, metric="val_r2" if regression else "val_loss")
    seeds = [] if "--seeds" in options else ["--seeds", "1"]  # as an ensemble is exported
    assert main(evaluate.app, [str(folder), *options.split(), *seeds]) == 0
    (look,) = open_run(folder).looks
    capsys.readouterr()
    assert main(export.app, [str(folder), "model", *options.split()]) == 0
    assert "trained on train and validation" in capsys.readouterr().out
    model, test = load_model("model"), load_test(data)
    outputs = model.of_inputs(test.x).astype(float)
    if regression:
        found = 1 - ((outputs[:, 0] - test.y) ** 2).mean() / test.y.var()
        wanted = look.together["test_r2"]
    else:
        log_p = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
        found = -log_p[np.arange(len(test.y)), test.y].mean()
        wanted = look.together["test_loss"]
    assert found == pytest.approx(wanted, rel=1e-4)
    numbers = tuple(trial["trial"] for trial in model.about["trials"])
    assert (numbers, tuple(model.about["seeds"])) == (look.trials, look.seeds)
    assert {t["trial"]: t["weight"] for t in model.about["trials"]} == look.members
    card = Path("model/README.md").read_text()
    assert ("together" in card) == (look.n_networks > 1)
    assert f"| {look.together['test_loss']:.4f} |" in card


@pytest.mark.parametrize("folds", [None, 2])
def test_an_ensemble_leaves_out_what_does_harm(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], folds: int | None
) -> None:
    lucky = trial("z", 0.99, config={**CONFIG, "lr": 1e-4})  # best in the record by chance
    folder = searched("wine", trial("a", 0.8), lucky, trial("b", 0.9), folds=folds)
    capsys.readouterr()
    assert main(evaluate.app, [str(folder), "--ensemble", "3", "--seeds", "1"]) == 0
    (look,) = open_run(folder).looks
    assert set(look.trials) <= {0, 2}
    shown = capsys.readouterr().out
    assert f"trained   {3 * (folds or 1)} of {3 * (folds or 1)}" in shown
    total = sum(look.members.values())
    told = ", ".join(f"trial {n} {w / total:.0%}" for n, w in look.members.items())
    assert f"selected  {told}: validation loss" in shown


def test_the_winner_after_repeats_is_theirs_and_trains_as_long_as_they_did_best() -> None:
    folder = searched()
    run = open_run(folder)
    run.__dict__["repeated"] = [
        trial(f"r{n}", 0.95, repeat_of="c", best_epoch=epoch) for n, epoch in enumerate((1, 1, 3))
    ]
    assert (winner(run).number, winner(run).epochs) == (2, 2)  # the median of 2, 1, 1, 3
    assert [c.number for c in chosen_of(run, Chosen(ensemble=2))] == [1, 0]
    assert [c.number for c in chosen_of(run, Chosen(ensemble=9))] == [1, 0, 2]  # all
    assert candidate(run, "a").number == 0


@pytest.mark.parametrize(
    ("options", "value", "rule"),
    [
        ("--trial 9", "9", "the trials 0 to 3"),
        ("--trial 3", "3", "diverged"),
        ("--ensemble 1", "1", "below 2"),
        ("--trial 0 --ensemble 2", "--trial 0", "give one"),
        ("--seeds 0", "0", "below 1"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], options: str, value: str, rule: str
) -> None:
    trials = [trial("a", 0.8), trial("b", 0.9), trial("c", 0.7)]
    folder = searched("wine", *trials, trial("d", 0.0, stopped_by="divergence"))
    assert main(evaluate.app, [str(folder), *options.split()]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert value in shown.err
    assert rule in shown.err
    assert not (folder / "evaluation.json").exists()


def test_data_that_have_changed_are_refused(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(Path("runs/it"), [trial("a", 0.8)], data="wine", fingerprint="other", max_epochs=3)
    assert main(evaluate.app, ["runs/it"]) == 2
    assert "'wine' has changed since runs/it searched on it" in capsys.readouterr().err


def test_looks_come_back_as_they_were(tmp_path: Path) -> None:
    look = Look(1.0, (0,), ({"lr": 0.1},), (2,), (1, 2), 9, 3, {"test_r2": (0.5, 0.7)}, ((1, 2),))
    path = tmp_path / "evaluation.json"
    assert read_looks(path) == []
    assert [add_look(path, look), add_look(path, replace(look, when=2.0))] == [1, 2]
    assert [found.when for found in read_looks(path)] == [1.0, 2.0]
    assert read_looks(path)[0] == look
    assert look.told("test_r2") == "0.6000 +- 0.1414"
    path.write_text(json.dumps({"looks": [{"when": 1}]}))
    with pytest.raises(ValueError, match="cannot be read"):
        read_looks(path)


def test_the_page_shows_the_last_look_after_what_came_out() -> None:
    folder = searched()
    assert [s.id for s in report_page(open_run(folder)).sections][:2] == ["outcome", "progress"]
    look = Look(
        1.0, (1,), (CONFIG,), (2,), (1, 2), 9, 4, {"test_accuracy": [0.5, 0.7]}, ((1, 1), (0.5, 1))
    )
    add_look(folder / "evaluation.json", look)
    page = report_page(open_run(folder))
    assert [s.id for s in page.sections][:3] == ["outcome", "tested", "progress"]
    (drawing,) = page.sections[1].drawings
    (heatmap,) = drawing.figure.data
    assert np.array(heatmap.z).tolist() == [[0, 0.5], [1 / 3, 0]]  # only errors are coloured
    assert np.array(heatmap.text).tolist() == [["1", "1"], ["0.5", "1"]]


def test_the_page_shows_the_weights_of_an_ensemble_and_how_to_export_it() -> None:
    folder = searched()
    together = {"test_accuracy": 0.65}
    values = {"test_accuracy": [0.5, 0.7]}
    many = {"confusion": ((1, 1), (0.5, 1)), "together": together, "weights": (3, 1), "among": 5}
    look = Look(1.0, (1, 0), (CONFIG, CONFIG), (2, 2), (1, 2), 9, 4, values, **many)  # type: ignore[arg-type]
    add_look(folder / "evaluation.json", look)
    assert main(report.app, [str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert "An ensemble of trials 1 (75%) and 0 (25%) was trained again" in page
    assert r"\u003ccode>--seeds 2\u003c/code> \u003ccode>--ensemble 5\u003c/code>." in page


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        ((1,), "0.9000 on validation, the best of 3 trials and of their epochs"),
        ((0, 2), "0.9000 on validation by trial 1, the best of 3 trials and of their epochs"),
        ((2,), "0.7000 on validation, the best epoch of trial 2"),
    ],
)
def test_what_the_search_had_promised_is_of_what_was_tested(
    trials: tuple[int, ...], told: str
) -> None:
    folder = searched()
    n = len(trials)
    values = {"test_accuracy": [0.5]}
    look = Look(1.0, trials, (CONFIG,) * n, (2,) * n, (1,), 9, 4, values, ((1, 1), (0.5, 1)))
    add_look(folder / "evaluation.json", look)
    run = open_run(folder)
    assert f"search    val_accuracy {told}: so it may flatter" in list(look_lines(run))
    tested = report_page(run).sections[1]
    words = [block.text for block in tested.blocks if isinstance(block, Words)]
    assert f"The search had val_accuracy {told}: so it may flatter." in words
    assert "deviation" not in words[0]  # with one seed
    (table,) = (block for block in tested.blocks if isinstance(block, Table))
    beside = ["validation, in the search"] if n == 1 else []
    assert table.head == ["metric", "test", *beside]
    assert {len(row) for row in table.rows} == {len(table.head)}


@pytest.mark.parametrize(("accuracy", "loss", "n"), [(0.4, 2.0, 0), (0.6, 2.0, 1), (0.6, 0.7, 2)])
def test_quick_models_that_are_better_are_said(accuracy: float, loss: float, n: int) -> None:
    folder = searched()
    values = {"test_accuracy": [0.5, 0.4], "test_loss": [1.0, 0.8]}
    together = {"test_accuracy": 0.55, "test_loss": 0.8}
    quick = {
        "majority class": {"test_accuracy": 0.3, "test_loss": loss},
        "gradient boosting": {"test_accuracy": accuracy, "test_loss": 2.0},
    }
    look = Look(
        1.0, (1,), (CONFIG,), (2,), (1, 2), 9, 4, values, together=together, baselines=quick
    )
    add_look(folder / "evaluation.json", look)
    told = [
        "          gradient boosting is better than the networks",
        "note      test_loss of majority class is 0.7000: the networks' probabilities are worse "
        "than none; --metric val_loss searches for good ones",
    ]
    lines = list(look_lines(open_run(folder)))
    assert [line for line in lines if line in told] == told[:n]
