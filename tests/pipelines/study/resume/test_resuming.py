"""``resume()``: the study of a run on disk, ready to be continued."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines.study.narrowing import bound_parameters
from pipelines.study.prepare import prepare
from pipelines.study.resume.resuming import resume
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from search_spaces import SPACES, Config, Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made, searched
from tests.pipelines.running import spec_of
from tests.pipelines.study.without_ray import Curve, search, search_until, without_ray
from trainables.data.datasets import load
from trainables.networks import NETWORKS

__all__ = ["without_ray"]

SMALL: Config = {**LENET, "width_1": 16, "width_2": 16}


def falls(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: config["x"] + 1 / epoch, config, max_epochs)


SPACE = SearchSpace({"x": Float(0.0, 1.0)})


def own(folder: Path, **more: Any) -> Study:
    """A study of the function above, with checkpoints in a storage that other studies share."""
    storage = str(folder.parent / "shared")
    settings: dict[str, Any] = {"algo": "optuna", "trials": 6, "max_epochs": 9, "storage": storage}
    settings |= more
    place = {"name": folder.name, "runs_dir": folder.parent}
    spec = spec_of(data="wine", metric="val_loss", space=f"{__name__}:SPACE", **settings, **place)
    return prepare(spec, trainable=falls)


def decided(folder: Path) -> list[Any]:
    return [(t.config, dict(t.curve), t.stopped_by) for t in open_run(folder).finished]


@pytest.mark.usefixtures("without_ray")
def test_a_search_with_a_storage_of_its_own_is_killed_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (own(tmp_path / name) for name in ("whole", "cut"))
    search(whole)
    assert search_until(cut, monkeypatch, 9)
    more = resume(cut.folder)
    assert more.resumed is not None
    (running,) = more.resumed.search.unfinished
    assert str(running.attempt.checkpoint).startswith(str(tmp_path / "shared" / "cut"))
    assert "1 were running, 1 of them with a checkpoint" in more.notes[0]
    search(more)
    assert decided(cut.folder) == decided(whole.folder)


@pytest.mark.usefixtures("without_ray")
def test_a_space_of_ones_own_that_has_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, here = own(tmp_path / "cut", range={"x": (0.0, 0.5)}), sys.modules[__name__]
    assert search_until(study, monkeypatch, 9)
    assert not any("recorded space" in note for note in resume(study.folder).notes)
    wider = {"x": Float(0.0, 0.5, log=False), "y": Float(0.0, 1.0)}
    monkeypatch.setattr(here, "SPACE", SearchSpace(wider))
    says = rf"searched with y = None, not Float\(.*\), as {__name__}:SPACE has it now$"
    with pytest.raises(ValueError, match=says):
        resume(study.folder)
    monkeypatch.delattr(here, "SPACE")
    (note,) = [note for note in resume(study.folder).notes if note.startswith("note")]
    assert note.startswith("note      the search goes on in the recorded space: ")


def of_batch_32(config: Config) -> bool:
    return config["batch_size"] == 32


def test_what_forbids_configs_does_so_again(tmp_path: Path) -> None:
    digits, space = load("digits"), replace(SPACES["mlp"], forbid=of_batch_32)
    bounded = bound_parameters(space, NETWORKS["mlp"], digits, 5000)
    settings: dict[str, Any] = {"max_parameters": 5000, "fingerprint": digits.fingerprint}
    run = write_run(tmp_path / "it", [made([0.5], config=SMALL)], space=bounded, **settings)
    for given in (None, space):
        forbid = resume(run, space=given).space.forbid
        assert forbid is not None
        configs = [SMALL, LENET, {**SMALL, "batch_size": 32}]
        assert [forbid(config) for config in configs] == [False, True, True]


def test_the_run_that_it_learns_from_is_read_again_where_it_is_there(tmp_path: Path) -> None:
    theirs = write_run(tmp_path / "before", searched(5))
    settings: dict[str, Any] = {"seed_from": theirs, "fingerprint": load("digits").fingerprint}
    run = write_run(tmp_path / "it", [made([0.5], config=SMALL)], **settings)
    assert [t.config for t in resume(run).history] == [t.config for t in open_run(theirs).finished]
    shutil.rmtree(theirs)
    study = resume(run)
    assert study.history == ()
    assert study.notes[0].startswith("warning   the algorithm goes on without `seed_from`: ")


def learning(folder: Path, algo: str, seed_from: Path) -> Study:
    """A study that learns from another."""
    settings: dict[str, Any] = {"algo": algo, "trials": 6, "max_epochs": 2, "seed_from": seed_from}
    place = {"name": folder.name, "runs_dir": folder.parent, "scheduler": "none"}
    spec = spec_of(data="wine", metric="val_loss", space=f"{__name__}:SPACE", **settings, **place)
    return prepare(spec, trainable=falls)


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("algo", ["optuna", "grid"])
def test_a_run_that_it_learnt_from_may_have_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], algo: str
) -> None:
    trials = [made([1.0], config={"x": n / 4}, trial_id=str(n)) for n in range(3)]
    settings: dict[str, Any] = {"metric": "val_loss", "data": "wine", "model": "mlp"}
    theirs = write_run(tmp_path / "theirs", trials, space=SPACE, **settings)
    whole, cut = (learning(tmp_path / name, algo, theirs) for name in ("whole", "cut"))
    search(whole)
    assert search_until(cut, monkeypatch, 3)
    more = [made([0.5], config={"x": 0.75 + n / 4}, trial_id=f"later-{n}") for n in range(2)]
    shutil.rmtree(theirs)
    write_run(theirs, [*trials, *more], space=SPACE, **settings)
    study = resume(cut.folder)
    assert [trial.trial_id for trial in study.history] == ["0", "1", "2"]
    assert study.size == whole.size
    search(study)
    assert decided(cut.folder) == decided(whole.folder)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("without_ray")
def test_an_algorithm_that_is_not_what_it_was_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [made([1.0], config={"x": n / 12}, trial_id=str(n)) for n in range(12)]
    settings: dict[str, Any] = {"metric": "val_loss", "data": "wine", "model": "mlp"}
    theirs = write_run(tmp_path / "theirs", trials, space=SPACE, **settings)
    cut = learning(tmp_path / "cut", "optuna", theirs)
    assert search_until(cut, monkeypatch, 12)
    shutil.rmtree(theirs)
    search(resume(cut.folder))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning   optuna does not suggest the same trials again: ")


def test_an_older_run_does_not_say_what_it_learnt_from(tmp_path: Path) -> None:
    theirs = write_run(tmp_path / "before", searched(5))
    run = write_run(tmp_path / "it", [made([0.5], config=SMALL)], seed_from=theirs)
    assert open_run(run).learnt_from is None
