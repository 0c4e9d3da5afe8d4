"""The Python API: a search, and its run during the search and afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import nn

import pipelines
from pipelines import StudySpec, evaluate_run, export_model, open_run, read_study, search
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.writing import start_run
from pipelines.study.interrupts import Interrupted
from pipelines.study.study import Study
from search_spaces import Float, SearchSpace
from tests.pipelines.running import spec_of
from trainables.data.datasets import load, load_test

ROOT = Path(__file__).parents[3]
SPACE = SearchSpace({"x": Float(0.0, 1.0)})


def squares(config: dict[str, Any], data: Any, **_: Any) -> Iterator[Any]:
    for epoch in (1, 2):
        print(f"epoch {epoch} of mine")
        yield {"val_loss": config["x"] ** 2 + 1 / epoch, "epochs": epoch}, None


def test_a_search_returns_its_run(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = search(spec_of(data="wine", trials=3, max_epochs=2, max_concurrent=1))
    shown = capsys.readouterr().out
    assert "new best" in shown
    assert "trials    3: " in shown
    assert run.files.folder.parent == elsewhere / "runs"
    assert len(run.trials) == 3
    assert run.best is not None
    assert run.best.value == run.trials["value"].max()
    best = run.curves[run.curves["trial"] == run.best.trial_id]
    assert set(best["metric"]) >= {"val_accuracy", "val_loss", "train_loss", "lr"}
    values = best[best["metric"] == "val_accuracy"]["value"]
    assert values.max() == pytest.approx(run.best.value, abs=1e-5)
    assert len(run.study.trials) == 3
    assert open_run(run.files.folder).spec == run.spec
    assert shown.splitlines()[-1] == f"report    {run.files.report.relative_to(elsewhere)}"
    assert run.files.report.is_file()
    look = evaluate_run(run, seeds=1, quiet=True)
    model = export_model(run, "model")
    assert capsys.readouterr().out == ""
    assert look.samples == len(load_test("wine").x)
    assert model.class_names == load("wine").class_names
    with pytest.raises(ValueError, match="has looked at its test set once"):
        evaluate_run(run, quiet=True)
    with pytest.raises(ValueError, match="is not empty"):
        export_model(run, "model")


def test_an_own_function_and_space_need_no_file(cluster: Cluster, elsewhere: Path) -> None:
    run = search(
        spec_of(data="wine", metric="val_loss", trials=3, max_epochs=2, algo="random"),
        trainable=squares,
        space=SPACE,
        quiet=True,
    )
    assert run.space == SPACE
    assert run.spec.problem.trainable == f"{__name__}:squares"
    assert set(run.curves["metric"]) == {"val_loss", "epochs"}
    printed = {path.stem: path.read_text() for path in run.files.printed.iterdir()}
    said = "epoch 1 of mine\n", "epoch 1 of mine\nepoch 2 of mine\n"
    assert printed == {trial.trial_id: said[trial.epochs - 1] for trial in run.finished}


def test_a_function_that_another_one_made_is_given_again(cluster: Cluster, elsewhere: Path) -> None:
    def training(config: dict[str, Any], data: Any, n: int, **_: Any) -> Iterator[Any]:
        for epoch in range(1, n + 1):
            yield {"val_loss": config["x"] / epoch}, nn.Linear(data.x_train.shape[1], 3)

    own = partial(training, n=2)
    settings = spec_of(data="wine", metric="val_loss", trials=1, max_epochs=2, algo="random")
    run = search(settings, trainable=own, space=SPACE, quiet=True)
    name = f"{__name__}:{training.__qualname__}.<partial>"
    assert run.spec.problem.trainable == name
    more = run.spec.but(budget={"trials": 2})
    run = search(more, resume=run, trainable=own, quiet=True)
    assert len(run.finished) == 2
    look = evaluate_run(run, seeds=1, trainable=own, quiet=True)
    assert look.samples == len(load_test("wine").x)
    assert export_model(run, "model", trainable=own).about["model"] == name


def test_an_interrupted_search_does_not_let_the_program_go_on(
    cluster: Cluster, elsewhere: Path
) -> None:
    driver, sent = os.getpid(), elsewhere / "sent"

    def interrupts(config: dict[str, Any], data: Any, **_: Any) -> Iterator[Any]:
        if not sent.exists():
            sent.touch()
            os.kill(driver, signal.SIGINT)
        yield {"val_loss": config["x"]}, None

    settings = spec_of(data="wine", metric="val_loss", trials=30, max_concurrent=1, algo="random")
    with pytest.raises(KeyboardInterrupt) as raised:
        search(settings, trainable=interrupts, space=SPACE, quiet=True)
    (folder,) = Path("runs").iterdir()
    assert str(raised.value) == (
        f"{folder} has the finished trials: "
        f"go on with search(resume='{folder}', trainable=interrupts)"
    )
    run = open_run(folder)
    assert [session.by for session in run.sessions] == ["interrupt"]
    assert run.files.report.is_file()


@pytest.mark.parametrize("has_begun", [True, False])
def test_an_interruption_at_once_says_what_is_left_without_the_frames_of_ray(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, has_begun: bool
) -> None:
    def interrupted(study: Study, *_: Any) -> None:
        if has_begun:
            start_run(RunFiles(study.folder), {}, {}, [])
        raise Interrupted("interrupt")

    monkeypatch.setattr("pipelines.api.connecting", lambda *_, **__: nullcontext())
    monkeypatch.setattr("pipelines.api.launch", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        search(spec_of(data="wine", name="it"), quiet=True)
    kept = "runs/it has the finished trials: go on with search(resume='runs/it')"
    nothing = "the search had not begun: nothing is written"
    assert str(raised.value) == (kept if has_begun else nothing)
    assert raised.value.__suppress_context__


def test_an_interruption_of_the_repeats_is_not_hidden_by_what_ended_the_search(
    cluster: Cluster, elsewhere: Path
) -> None:
    driver, trained = os.getpid(), elsewhere / "trained"

    def interrupts_its_repeats(config: dict[str, Any], data: Any, **_: Any) -> Iterator[Any]:
        if trained.exists():
            os.kill(driver, signal.SIGINT)
        trained.touch()
        yield {"val_loss": config["x"]}, None

    settings = spec_of(
        data="wine",
        metric="val_loss",
        trials=30,
        target_value=1e6,  # the first trial reaches it
        repeats=3,
        max_concurrent=1,
        algo="random",
    )
    with pytest.raises(KeyboardInterrupt):
        search(settings, trainable=interrupts_its_repeats, space=SPACE, quiet=True)


def test_a_run_goes_on_with_its_own_settings_changed_wherever_it_lies(
    cluster: Cluster, elsewhere: Path
) -> None:
    settings = spec_of(data="wine", metric="val_loss", trials=2, max_epochs=2, algo="random")
    own: dict[str, Any] = {"trainable": squares, "space": SPACE, "quiet": True}
    run = search(settings, **own)
    more = search(run.spec.but(budget={"trials": 3}), resume=run.files.folder, **own)
    assert len(more.finished) == 3
    more = search(settings.but(budget={"trials": 3}), resume=run.files.folder, **own)
    assert len(more.finished) == 3
    moved = run.files.folder.rename("moved")
    more = search(open_run(moved).spec.but(budget={"trials": 4}), resume=moved, **own)
    assert len(more.finished) == 4
    assert more.files.folder == moved.absolute()
    left_out = "cannot go on with `algo=optuna`, the default: .*'moved'.*spec.but"
    with pytest.raises(ValueError, match=left_out):
        search(spec_of(data="wine", name="moved"), resume="moved", **own)
    with pytest.raises(ValueError, match=r"cannot go on with `name=other`$"):
        search(more.spec.but(run={"name": "other"}), resume=moved, **own)


def test_quiet_is_quiet(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search(spec_of(data="wine", trials=1, max_epochs=1), quiet=True)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_notebook_gets_text_and_keeps_all_of_it(
    cluster: Cluster,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before, Tune cleared the cell's output, the plan with it, and Rich cut long lines off."""
    called: list[str] = []
    notebook = ModuleType("IPython.display")
    for name in ("HTML", "clear_output", "display"):
        setattr(notebook, name, lambda *_, called=called, name=name, **__: called.append(name))
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    monkeypatch.setattr("ray.tune.progress_reporter.IS_NOTEBOOK", True)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    search(spec_of(data="wine", trials=1, max_epochs=1))
    assert called == []
    assert capsys.readouterr().out.startswith("data      wine")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": "gone"}, "unknown data set 'gone'"),
        ({"algo": "grid", "trials": 3}, "`trials` is 3: use `trials=36`"),
        ({"trainable": "gone:train"}, "'gone:train' cannot be imported"),
        ({"data": "wine", "model": "cnn"}, "use `model=mlp`"),
    ],
)
def test_what_cannot_run_is_an_error_that_names_the_field_and_no_option(
    cluster: Cluster, elsewhere: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as error:
        search(spec_of(**settings))
    assert "--" not in str(error.value)
    assert list(elsewhere.iterdir()) == []


def test_a_function_without_its_space_is_told_how_to_give_it_in_python(
    cluster: Cluster, elsewhere: Path
) -> None:
    told = "needs its `space`: package.module:SPACE, or in Python also a SearchSpace"
    with pytest.raises(ValueError, match=told):
        search(spec_of(data="wine", metric="val_loss"), trainable=squares)


def test_what_is_no_space_and_no_function_is_refused_as_such() -> None:
    with pytest.raises(TypeError, match=r"`space` is a dict: give SearchSpace\(\{...\}\)"):
        search(trainable=squares, space={"x": Float(0.0, 1.0)})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`trainable` is a str: give the function itself"):
        search(trainable="mine:train", space=SPACE)  # type: ignore[arg-type]


def test_a_wrong_type_names_the_field() -> None:
    """Before, this was `TypeError: must be real number, not str`."""
    with pytest.raises(ValueError, match=r"budget\.trials"):
        StudySpec.model_validate({"budget": {"trials": "wine"}})


def test_a_setting_outside_its_group_is_told_its_group() -> None:
    with pytest.raises(ValueError, match=r"`trials` is in budget: give budget={'trials': ...}"):
        StudySpec(trials=4)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"`metric` is in problem: give problem={'metric': ...}"):
        StudySpec().but(metric="val_auc")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`trials` is in budget: give budget={'trials': ...}"):
        StudySpec(search={"trials": 4})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"budget": {"trails": 4}}, "there is no setting budget.trails (did you mean trials?)"),
        ({"budjet": {"trials": 4}}, "there is no group budjet (did you mean budget?)"),
        ({"budget": {"trials": 0}}, "budget.trials 0 is below 1, the smallest value allowed"),
        ({"budget": {"keep": "a few"}}, "budget.keep 'a few' is not a whole number"),
        ({"stopping": {"grace_period": 31}}, "`grace_period` 31 is above `max_epochs` 30"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, groups: dict[str, Any], message: str) -> None:
    """Before, it was Pydantic's text of four lines, with an address on the web."""
    file = tmp_path / "study.yaml"
    file.write_text(json.dumps(groups))
    for wrong in (lambda: StudySpec(**groups), lambda: StudySpec().but(**groups)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            wrong()
    with pytest.raises(ValueError, match=r"^`study` ") as raised:
        read_study(file)
    assert "\n" not in str(raised.value)


def test_the_package_says_what_it_gives() -> None:
    assert dir(pipelines) == pipelines.__all__  # what a notebook completes
    for name in pipelines.__all__:
        assert getattr(pipelines, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pipelines.nothing


@pytest.mark.slow
def test_the_notebook_runs(elsewhere: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "notebook.py")],
        env={**os.environ, "RAY_ADDRESS": "local"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "trials    10: " in done.stdout
    assert len(list(Path("runs").iterdir())) == 2
