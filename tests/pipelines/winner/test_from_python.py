"""How a run, a trial and data may be given in Python, and the messages if that fails."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from benchmarks.sets.configs import LENET
from pipelines import evaluate, evaluate_run, export, export_model, open_run, search
from pipelines.cli.command import main
from pipelines.record.looks import Look
from pipelines.record.trials import FinishedTrial, State
from search_spaces import Config, Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.running import spec_of
from trainables.data.datasets import TrialData, load

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 12, "width_2": 12}
TRIAL = FinishedTrial("a", CONFIG, State.COMPLETE, {1: 0.8}, 0.8, 1)


def test_a_trial_is_a_number_or_its_text_and_a_run_may_be_its_folder() -> None:
    folder = write_run(
        Path("runs/it"), [TRIAL], data="wine", fingerprint=load("wine").fingerprint, max_epochs=1
    )
    with pytest.raises(ValueError, match="no trial 7: runs/it has the trials 0 to 0"):
        evaluate_run(open_run(folder), trial=7, quiet=True)
    with pytest.raises(ValueError, match="no trial 7: runs/it has the trials 0 to 0"):
        export_model(str(folder), "model", trial="7")
    with pytest.raises(ValueError, match="no trial 7: runs/it has the trials 0 to 0"):
        evaluate_run(folder, trial=7, quiet=True)
    assert export_model(folder, "model", trial=0).about["trials"][0]["trial"] == 0


def test_a_notebook_shows_what_a_cell_ends_with_in_a_line() -> None:
    data = load("wine")
    folder = write_run(Path("it"), [TRIAL], data="wine", fingerprint=data.fingerprint, max_epochs=1)
    assert repr(open_run(folder).best) == (
        f"FinishedTrial('a': COMPLETE, value=0.8, best_epoch=1, config={CONFIG})"
    )
    failed = replace(TRIAL, state=State.FAIL, error="ValueError: no")
    assert repr(failed).startswith("FinishedTrial('a': FAIL (ValueError: no), value=0.8")
    scores = {"test_accuracy": (0.5, 0.6), "test_loss": (1.0, 1.0)}
    look = Look(1.0, (3,), (CONFIG,), (2,), (1, 2), 9, 36, scores, confusion=((1.0,),))
    assert repr(look) == (
        "Look(trials=(3,), seeds=(1, 2), samples=36: test_accuracy 0.5500 +- 0.0707, "
        "test_loss 1.0000 +- 0.0000)"
    )
    model = export_model(folder, "model")
    assert repr(model) == "ExportedModel('model': mlp, classification of 3 classes)"
    elsewhere = str(Path("model").absolute())  # for joblib or another process
    assert repr(pickle.loads(pickle.dumps(model))) == repr(model).replace("model", elsewhere, 1)


def test_a_folder_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(Path("runs/it"), [TRIAL])
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert open_run("~/runs/it").files.folder == folder.absolute()


def test_a_wrong_argument_is_one_line() -> None:
    folder = write_run(Path("runs/it"), [TRIAL])
    few = "^seeds 0 is below 1, the smallest value allowed$"
    with pytest.raises(ValueError, match=few):
        evaluate_run(folder, seeds=0)
    with pytest.raises(ValueError, match=few):
        export_model(folder, "model", seeds=0)
    with pytest.raises(ValueError, match=r"^`trial` 0 and `ensemble` 2: give one$"):
        evaluate_run(folder, trial=0, ensemble=2)
    with pytest.raises(TypeError, match=r"^`spec` is a dict: give StudySpec\(problem=..., ...\)$"):
        search({"problem": {}})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^`space` is a dict: give SearchSpace\({...}\)$"):
        search(trainable=print, space={"x": Float(0.0, 1.0)})  # type: ignore[arg-type]


def test_data_are_a_name_or_a_path_and_a_table_is_told_to_be_a_file() -> None:
    assert spec_of(data=Path("x.csv")).problem.data == "x.csv"
    with pytest.raises(ValueError, match="a DataFrame is not a file: save it"):
        spec_of(data=pd.DataFrame({"x": [1]}))


def write_run_on_a_file() -> Path:
    """A run on ./mine.csv."""
    rows = pd.DataFrame({"x": [float(n) for n in range(40)], "kind": ["a", "b"] * 20})
    rows.to_csv("mine.csv", index=False)
    return write_run(
        Path("runs/it"),
        [TRIAL],
        data="mine.csv",
        target="kind",
        max_epochs=1,
        fingerprint=load("mine.csv", target="kind").fingerprint,
    )


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_is_relative_to_where_the_search_was_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    here = Path.cwd()
    run = write_run_on_a_file()
    if moved:
        Path("else/where").mkdir(parents=True)
        run = Path(shutil.move(run, "else/where/it"))
    Path("other").mkdir()
    monkeypatch.chdir("other")
    start = "the path is relative to the folder where the search was started"
    told = f"{start}{'' if moved else f', {here}'}: run"
    assert main(export.app, [f"../{run}", "model"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "'mine.csv' does not exist" in shown.err
    assert told in shown.err


@pytest.mark.parametrize(
    ("content", "rule"),
    [("x,kind\n" + "1,a\n2,b\n" * 20, "has changed since"), ("z\n1\n", "no column 'kind'")],
)
def test_another_file_of_that_name_is_told_by_its_whole_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: str, rule: str
) -> None:
    here = Path.cwd()
    run = write_run_on_a_file()
    Path("other").mkdir()
    monkeypatch.chdir("other")
    Path("mine.csv").write_text(content)
    assert main(export.app, [f"../{run}", "model"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert rule in shown
    assert f"'{here}/other/mine.csv' was read" in shown
    assert f"the folder where the search was started, {here}: run the command there" in shown
    monkeypatch.chdir(here)
    Path("mine.csv").write_text(content)
    assert main(export.app, [str(run), "model"]) == 2
    assert "was started" not in capsys.readouterr().err


def write_run_of_a_function(trainable: str) -> Path:
    return write_run(
        Path("runs/own"),
        [FinishedTrial("a", {"lr": 0.1}, State.COMPLETE, {1: 0.5}, 0.5, 1)],
        space=SearchSpace({"lr": Float(0.01, 1.0)}),
        data="wine",
        metric="val_loss",
        trainable=trainable,
        fingerprint=load("wine").fingerprint,
        max_epochs=1,
    )


@pytest.mark.parametrize("command", [evaluate, export])
@pytest.mark.parametrize("function", ["__main__:of_a_script", f"{__name__}:made.<locals>.train"])
def test_a_function_of_a_script_is_told_to_be_given_in_python(
    capsys: pytest.CaptureFixture[str], command: Any, function: str
) -> None:
    """Before, an evaluation said so only after it had started Ray."""
    folder = write_run_of_a_function(function)
    arguments = [str(folder), "model"] if command is export else [str(folder)]
    assert main(command.app, arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert f"'{function}'" in shown.err
    assert "in Python; there search, evaluate_run and export_model take it as trai" in shown.err


def test_what_no_process_can_import_is_given_again() -> None:
    folder = write_run_of_a_function(f"{__name__}:made.<locals>.train")

    def train(config: Config, data: TrialData, **_: object) -> Iterator[Any]:
        yield {"val_loss": 0.5}, torch.nn.Linear(data.x_train.shape[1], data.n_classes)

    with pytest.raises(ValueError, match=r"made.<locals>.train.*take it as trainable="):
        export_model(folder, "model")
    with pytest.raises(ValueError, match=r"`trainable` builtins:len is called with \(config, data"):
        export_model(folder, "model", trainable=len)  # type: ignore[arg-type]
    model = export_model(folder, "model", trainable=train)
    assert model.class_names == load("wine").class_names
    other = write_run(Path("runs/it"), [TRIAL], data="wine", max_epochs=1)
    with pytest.raises(ValueError, match=r"runs/it searched `model=mlp`: it takes no trainable=$"):
        evaluate_run(other, trainable=train)
