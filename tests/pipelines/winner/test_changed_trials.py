"""A trial of population based training takes over weights of other trials, and its config changes.
Its kept weights are tested and exported, and it cannot be trained again on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.sets.configs import LENET
from pipelines import evaluate, export, load_model
from pipelines.cli import training
from pipelines.cli.command import main
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.writing import Record
from pipelines.results.page.model import Words
from pipelines.results.run_page import report_page
from pipelines.study.runs import open_run
from pipelines.winner.candidates import winner
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load, load_test
from trainables.networks import NETWORKS

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 12, "width_2": 12}
REFUSED = "of runs/it took over weights of another trial in mid-training: it cannot be trained"


def trial(name: str, value: float, **more: Any) -> FinishedTrial:
    return FinishedTrial(name, CONFIG, State.COMPLETE, {2: value}, value, 2, seed=7, **more)


def searched(**settings: Any) -> RunFiles:
    """A run whose two best trials took over weights of others. The winner's weights are kept."""
    data = load("wine")
    trials = [
        trial("a", 0.9, changes={2: CONFIG}, metrics={"val_accuracy": 0.9}),
        trial("b", 0.8, changes={2: CONFIG}),
        trial("c", 0.7),
    ]
    settings = {"data": "wine", "max_epochs": 3, "scheduler": "pbt", "algo": "random", **settings}
    folder = write_run(Path("runs/it"), trials, fingerprint=data.fingerprint, **settings)
    torch.manual_seed(3)
    torch.save(network().state_dict(), folder / "best.pt")
    return RunFiles(folder)


def network() -> torch.nn.Module:
    return NETWORKS["mlp"].build(CONFIG, load("wine"))[1].eval()


def kept(files: RunFiles) -> torch.nn.Module:
    model = network()
    model.load_state_dict(torch.load(files.weights, weights_only=True))
    return model


@pytest.mark.parametrize("options", [[], ["--trial", "0"]])
def test_the_weights_that_the_search_kept_are_tested(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(training, "connecting", None)  # nothing is trained
    files, test = searched(), load_test("wine")
    assert main(evaluate.app, [str(files.folder), *options]) == 0
    shown = capsys.readouterr().out
    n = len(load("wine").x_train)
    assert f"tested    the weights that the search kept, trained on train alone ({n} " in shown
    assert "seeds" not in shown
    with torch.no_grad():
        hit = kept(files)(torch.from_numpy(test.x)).argmax(1).numpy() == test.y
    run = open_run(files.folder)
    (look,) = run.looks
    assert look.mean("test_accuracy") == pytest.approx(hit.mean())
    assert (look.kept, look.trials, look.epochs, look.seeds) == (True, (0,), (2,), (7,))
    assert look.trained_on == n
    (tested,) = (section for section in report_page(run).sections if section.id == "tested")
    words = next(block.text for block in tested.blocks if isinstance(block, Words))
    assert words.startswith("The weights that the search kept of trial 0 were tested")
    assert main(export.app, [str(files.folder), "model", *options]) == 0
    x = load("wine").x_val
    with torch.no_grad():
        wanted = kept(files)(torch.from_numpy(x)).numpy()
    assert load_model("model").of_inputs(x) == pytest.approx(wanted, abs=1e-5)
    card = Path("model/README.md").read_text().replace("\n", " ")
    assert f"| test_accuracy | {look.told('test_accuracy')} |" in card
    assert "trained again" not in card


@pytest.mark.parametrize(
    ("options", "number"),
    [("--seeds 2", 0), ("--ensemble 2", 0), ("--trial 1", 1), ("--trial 1 --seeds 1", 1)],
)
@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_what_would_train_it_again_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, options: str, number: int
) -> None:
    folder = str(searched().folder)
    app, words = (export.app, ["new"]) if command == "export" else (evaluate.app, [])
    assert main(app, [folder, *words, *options.split()]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert f"--trial {number} {REFUSED}" in shown.err
    assert ("leave out --seeds" in shown.err) == (options == "--seeds 2")
    assert not Path("new").exists()
    assert not Path(folder, "evaluation.json").exists()


@pytest.mark.parametrize("gone", ["the weights", "of folds"])
@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_so_is_one_whose_weights_are_not_there(
    capsys: pytest.CaptureFixture[str], command: str, gone: str
) -> None:
    files = searched(folds=2) if gone == "of folds" else searched()
    if gone == "the weights":
        files.weights.unlink()
    app, words = (export.app, ["new"]) if command == "export" else (evaluate.app, [])
    assert main(app, [str(files.folder), *words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert REFUSED in shown.err


def test_repeats_trained_its_config_by_itself() -> None:
    files = searched()
    run = open_run(files.folder)
    record = Record(files, files.repeats, run.space, run.goals)
    for seed in (1, 2):
        record.append(trial(f"r{seed}", 0.5 + 0.1 * seed, repeat_of="a"))
    record.close()
    found = winner(open_run(files.folder))
    assert (found.number, found.trial.trial_id, found.trial.changes) == (0, "r2", {})


def test_a_damaged_file_of_a_trial_that_cannot_be_trained_again_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = searched()
    files.weights.write_bytes(b"")
    assert main(export.app, [str(files.folder), "model"]) == 2
    shown = capsys.readouterr().err
    assert REFUSED in shown
    assert "again by itself; runs/it/best.pt is damaged" in shown
