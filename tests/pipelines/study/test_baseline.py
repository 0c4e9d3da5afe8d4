"""Baselines of a search: in a process of their own, and nothing waits long for them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from queue import Queue
from statistics import fmean

import pytest

from benchmarks.sets.configs import LENET
from pipelines import report, run
from pipelines.cli.command import main
from pipelines.cli.summary import baseline_lines
from pipelines.cluster.machines import Cluster
from pipelines.record.baselines import (
    Baselines,
    left_out,
    read_baselines,
    with_late,
    without_late,
    write_baselines,
)
from pipelines.results.run_page import report_page
from pipelines.study.baseline import _PROGRAM, BaselineProcess
from pipelines.study.result import StudyResult
from pipelines.study.runs import open_run
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made, searched
from trainables.baselines import MODELS, arguments_of, baselines
from trainables.data.datasets import load, load_folds

FOUND = {"majority class": {"val_accuracy": 0.1}, "gradient boosting": {"val_accuracy": 0.97}}


def test_the_models_are_fitted_and_the_process_gives_way_to_others() -> None:
    with BaselineProcess([load("wine")]) as baseline:
        baseline.start()
        found = baseline.result(60)
        process = baseline._process
    assert list(found) == ["majority class", "logistic regression", "gradient boosting"]
    assert found["logistic regression"]["val_accuracy"] > 0.9
    assert process is not None
    assert process.returncode == 0


def test_on_folds_each_score_is_the_mean_over_them() -> None:
    folds = load_folds("wine", 3)
    with BaselineProcess(folds) as baseline:
        baseline.start()
        found = baseline.result(60)
    names = ("x_train", "y_train", "x_val", "y_val")
    arrays = [{name: getattr(fold, name) for name in names} for fold in folds]
    single = [
        dict(baselines(each, **arguments_of(fold)))
        for each, fold in zip(arrays, folds, strict=True)
    ]
    assert list(found) == list(MODELS["classification"])
    for model, metrics in found.items():
        for name, value in metrics.items():
            assert value == pytest.approx(fmean(one[model][name] for one in single)), (model, name)


def test_what_is_not_done_in_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pipelines.study.baseline._PROGRAM",
        _PROGRAM.partition("\nmain(")[0] + "\nimport time\n"
        """print('["logistic regression", {"val_accuracy": 0.4}]', flush=True)\n"""
        "print('[\"half', end='', flush=True); time.sleep(600)",
    )
    with BaselineProcess([load("wine")]) as baseline:
        baseline.start()
        started = time.monotonic()
        while len(baseline.result(0.1)) < 2 and time.monotonic() - started < 60:
            pass
        found = baseline.result(0.1)
        assert found["logistic regression"] == {"val_accuracy": 0.4}
        assert list(found) == ["majority class", "logistic regression"]
        assert baseline._process is not None
        pid, arrays = baseline._process.pid, baseline._arrays
        niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
        assert os.getpriority(os.PRIO_PROCESS, pid) == niceness
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert arrays is not None
    assert not arrays.exists()


def test_packages_are_found_where_the_search_finds_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "of_pythonpath.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = """
import of_pythonpath, trainables
print('["logistic regression", {"val_accuracy": 0.4}]', flush=True)
"""
    monkeypatch.setattr("pipelines.study.baseline._PROGRAM", program)
    with BaselineProcess([load("wine")]) as baseline:
        baseline.start()
        assert "logistic regression" in baseline.result(60)
        assert baseline.failure == ""


@pytest.mark.usefixtures("elsewhere")
def test_a_search_says_that_their_process_has_failed(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.cli.quick_models.LEAST_PATIENCE", 100.0)
    monkeypatch.setattr("pipelines.cli.quick_models.BaselineProcess", BaselineProcess)
    monkeypatch.setattr("pipelines.study.baseline._PROGRAM", "import nowhere_to_be_found")
    assert main(run.app, ["--data", "wine", "--trials", "1", "--max-epochs", "1"]) == 0
    assert (
        "warning   the quick models beside the search have failed: exit code 1, "
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    ) in capsys.readouterr().out


def test_what_is_done_is_shown_while_the_rest_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setattr("pipelines.study.baseline._LOOK_EVERY", 0.01)
    monkeypatch.setattr(
        "pipelines.study.baseline._PROGRAM",
        f"""import os, time\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)\n"""
        """print('["logistic regression", {"val_accuracy": 0.4}]', flush=True)\n"""
        "time.sleep(600)",
    )
    shown: Queue[Baselines] = Queue()
    with BaselineProcess([load("wine")]) as baseline:
        baseline.start(shown.put)
        first = shown.get(timeout=60)
        assert list(first) == ["majority class"]  # which is known at once
        seen.touch()
        assert 0.3 < first["majority class"]["val_accuracy"] < 0.5
        assert list(shown.get(timeout=60)) == ["majority class", "logistic regression"]
    assert shown.empty()


def test_what_is_done_last_is_shown_although_the_process_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scores must be on disk while the best configs are repeated: a driver may be killed."""
    monkeypatch.setattr(
        "pipelines.study.baseline._PROGRAM",
        """print('["logistic regression", {"val_accuracy": 0.4}]', flush=True)""",
    )
    shown: Queue[Baselines] = Queue()
    with BaselineProcess([load("wine")]) as baseline:
        baseline.start(shown.put)
        while "logistic regression" not in shown.get(timeout=10):
            pass


class NotesItsStart(BaselineProcess):
    """Fits nothing."""

    starts = 0

    def start(self, show: object = None) -> None:
        type(self).starts += 1


@pytest.mark.usefixtures("elsewhere")
def test_those_that_a_killed_driver_lacked_are_fitted_while_configs_are_repeated(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = load("digits").fingerprint
    trials = [made([0.5], config=LENET)]
    write_run(Path("runs/it"), trials, trials=1, max_epochs=1, fingerprint=fingerprint)
    monkeypatch.setattr("pipelines.cli.quick_models.BaselineProcess", NotesItsStart)
    assert main(run.app, ["--resume", "runs/it", "--repeats", "2"]) == 0
    assert NotesItsStart.starts == 1


def test_nothing_is_fitted_where_the_search_trained_nothing() -> None:
    with BaselineProcess([load("wine")]) as baseline:
        assert baseline.result(60) == {}


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.slow
def test_a_search_shows_them_beside_its_score(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.cli.quick_models.PATIENCE", 100.0)
    monkeypatch.setattr("pipelines.cli.quick_models.BaselineProcess", BaselineProcess)
    options = ["--data", "wine", "--trials", "2", "--max-epochs", "2", "--name"]
    assert main(run.app, [*options, "it"]) == 0
    shown = capsys.readouterr().out
    assert "baseline  always predicting 'class_1' gives val_accuracy" in shown  # before it starts
    assert "baseline  val_accuracy of " in shown
    assert "gradient boosting" in shown
    found = open_run("runs/it").baselines
    assert list(found) == ["majority class", "logistic regression", "gradient boosting"]
    late = with_late({"majority class": found["majority class"]}, "classification", 3.2)
    write_baselines(Path("runs/it/baselines.json"), late)
    assert main(run.app, ["--resume", "runs/it", "--repeats", "2"]) == 0  # its search is over
    assert "left out: not finished 3.2 s" in capsys.readouterr().out
    assert open_run("runs/it").baselines == late
    assert main(report.app, ["runs/it"]) == 0
    assert "baseline  val_accuracy" in capsys.readouterr().out
    assert main(run.app, [*options, "without", "--no-baseline"]) == 0
    assert "baseline" not in capsys.readouterr().out
    assert open_run("runs/without").baselines == {}


def test_the_best_comes_first_and_a_network_that_is_no_better_is_told() -> None:
    trials = searched(20)
    result = StudyResult(trials, "val_accuracy", 3)
    (line, verdict) = baseline_lines(result, FOUND)
    assert line == "baseline  val_accuracy of gradient boosting 0.9700, majority class 0.1000"
    assert verdict == "          no network of the search is better than gradient boosting"
    broken = StudyResult([replace(t, broken="n_parameters<9") for t in trials], "val_accuracy", 3)
    assert list(baseline_lines(broken, FOUND)) == [line], "a network may be better, but not counted"
    few = {"majority class": {"val_accuracy": 0.1}, "gradient boosting": {}}
    assert list(baseline_lines(result, few))[1:] == [
        "          gradient boosting left out: too slow for data of this size"
    ]
    assert not list(baseline_lines(result, {}))


def test_a_model_that_was_not_done_in_time_is_told(tmp_path: Path) -> None:
    done = {"majority class": {"val_accuracy": 0.1}}
    found = with_late(done, "classification", 3.2)
    late = (
        "logistic regression and gradient boosting left out: "
        "not finished 3.2 s after the end of the search"
    )
    assert left_out(found) == late
    assert list(baseline_lines(StudyResult(searched(20), "val_accuracy", 3), found))[1:] == [
        f"          {late}"
    ]
    write_baselines(tmp_path / "it.json", found)
    assert read_baselines(tmp_path / "it.json") == found
    assert without_late(found) == done
    both = with_late({**done, "gradient boosting": {}}, "classification", 3.0)
    assert left_out(both) == (
        "gradient boosting left out: too slow for data of this size; "
        "logistic regression left out: not finished 3 s after the end of the search"
    )


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_the_models_of_a_task_have_their_names(name: str) -> None:
    data = load(name)
    arrays = {each: getattr(data, each) for each in ("x_train", "y_train", "x_val", "y_val")}
    assert [name for name, _ in baselines(arrays, **arguments_of(data))] == list(MODELS[data.task])


def test_the_page_has_them_beside_the_best_trial(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", searched(20), max_epochs=3)
    write_baselines(folder / "baselines.json", FOUND)
    assert read_baselines(folder / "baselines.json") == FOUND
    outcome = report_page(open_run(folder)).sections[0]
    (table,) = [b for b in outcome.blocks if getattr(b, "head", [""])[0] == "model"]
    assert [row[0] for row in table.rows] == ["the best trial", *FOUND]  # type: ignore[union-attr]
    for damaged in ("[1]", '{"ridge": {"val_'):
        (folder / "baselines.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"baselines\.json cannot be read: delete it") as error:
            _ = open_run(folder).baselines
        assert str(error.value).count("cannot be read") == 1


@pytest.mark.parametrize(
    ("folds", "told"), [(None, "samples:"), (3, "samples, mean over 3 folds:")]
)
def test_the_page_says_that_they_are_means_over_folds(
    tmp_path: Path, folds: int | None, told: str
) -> None:
    folder = write_run(tmp_path / "it", searched(20), max_epochs=3, folds=folds)
    write_baselines(folder / "baselines.json", FOUND)
    words = [getattr(b, "text", "") for b in report_page(open_run(folder)).sections[0].blocks]
    (line,) = [text for text in words if text.startswith("Quick models")]
    assert line.endswith(f"training and validation {told}")


def test_the_page_says_which_were_left_out_where_none_has_a_score(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "it", searched(20), max_epochs=3)
    write_baselines(folder / "baselines.json", with_late({}, "classification", 3.2))
    told = [getattr(b, "text", "") for b in report_page(open_run(folder)).sections[0].blocks]
    assert any("left out: not finished 3.2 s" in text for text in told)
    assert not any(text.startswith("Quick models") for text in told)
