"""A look at the test set before the search was resumed: which trial it belongs to, and whether
another look is allowed."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines import export, load_model
from pipelines.cli.command import main
from pipelines.cli.report import look_lines
from pipelines.record.looks import Look, add_look
from pipelines.record.trials import FinishedTrial, State
from pipelines.results.page.model import Table, Words
from pipelines.results.promised import promised
from pipelines.results.run_page import report_page
from pipelines.study.runs import Run, open_run
from pipelines.winner import evaluation
from pipelines.winner.candidates import candidate
from pipelines.winner.evaluation import check_first_look, evaluate
from pipelines.winner.training import Repeated
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load
from trainables.networks import NETWORKS

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 12, "width_2": 12}


def trial(name: str, value: float) -> FinishedTrial:
    config = {**CONFIG, "lr": value / 100}
    return FinishedTrial(name, config, State.COMPLETE, {1: value}, value, 1)


A, B, C = trial("a", 0.8), trial("b", 0.9), trial("c", 0.7)


def searched(*trials: FinishedTrial) -> Run:
    folder = write_run(
        Path("runs/it"), trials, data="wine", fingerprint=load("wine").fingerprint, max_epochs=1
    )
    return open_run(folder)


def searched_on(*trials: FinishedTrial) -> Run:
    Path("runs/it").rename("runs/before")
    return searched(*trials)


def evaluated(monkeypatch: pytest.MonkeyPatch, run: Run, names: Sequence[str], lost: str) -> Look:
    """Records a look without a training. The training of ``lost`` diverged."""
    chosen = [candidate(run, name) for name in (*names, lost)]
    networks = [NETWORKS["mlp"].build(c.trial.config, load("wine"))[1] for c in chosen[:-1]]
    repeated = Repeated(tuple(chosen[:-1]), {1: networks}, (), (chosen[-1].number,))
    monkeypatch.setattr(evaluation, "train_again", lambda *_: repeated)
    monkeypatch.setattr(evaluation, "baselines", lambda *_, **more: ())
    return evaluate(run, chosen, 1)


@pytest.mark.parametrize("recorded_by", ["now", "an older version"])
def test_the_report_and_the_card_tell_of_the_trial_that_was_tested(
    monkeypatch: pytest.MonkeyPatch, recorded_by: str
) -> None:
    look = evaluated(monkeypatch, searched(A, B, C), ["a"], "c")
    assert (look.trials, look.unsound, look.trial_ids) == ((0,), (2,), ("a", "c"))
    if recorded_by == "an older version":
        look = replace(look, trial_ids=())
    run = searched_on(B, C, A)  # the first trial went on, and ended after the others
    add_look(run.files.looks, look)
    assert promised(run, run.looks[0]) == "0.8000 on validation, the best epoch of trial 2"
    page = report_page(run)
    (tested,) = (section for section in page.sections if section.id == "tested")
    words = [block.text for block in tested.blocks if isinstance(block, Words)]
    assert words[0].startswith("Trial 2 was trained again")
    if recorded_by == "now":
        assert "A training of trial 1 diverged: left out." in words
    assert main(export.app, [str(run.files.folder), "model", "--trial", "2"]) == 0
    test: Any = load_model("model").about["test"]
    assert test["trials"] == [2]


def test_a_quick_model_may_lack_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of a contributor may have no finite value for its predictions."""
    look = evaluated(monkeypatch, searched(A, C), ["a"], "c")
    run = searched_on(A, C)
    quick = {"stump": {"test_auc": 0.5}, "tree": {"test_accuracy": 0.5}}
    add_look(run.files.looks, replace(look, baselines=quick))
    (line,) = [line for line in look_lines(run) if line.startswith("baseline")]
    assert line == "baseline  test_accuracy of tree 0.5000"
    (tested,) = (section for section in report_page(run).sections if section.id == "tested")
    assert any("test: stump" in block.head for block in tested.blocks if isinstance(block, Table))


def test_nothing_is_trained_where_the_look_could_not_be_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, opened = searched(A), os.open

    def refused(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_RDWR and str(path).startswith(("runs/it", str(Path("runs/it").absolute()))):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(ValueError, match="'runs/it' cannot be written: Permission denied"):
        check_first_look(run, again=False)
