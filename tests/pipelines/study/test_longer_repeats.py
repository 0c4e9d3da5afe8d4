"""A search is trained on for more epochs: its repeats are trained again for as many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.journal import load_entries
from pipelines.study.left import nothing_left, searched
from pipelines.study.repeats import repeats_of, run_repeats
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.winner.candidates import winner
from tests.pipelines.running import Witness, study_of
from tests.pipelines.study.without_ray import (
    Curve,
    Killed,
    OneNode,
    going_on,
    killed_before,
    search,
    without_ray,
)

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")


def trainable(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: float(config["x"]) + 1 / epoch, config, max_epochs)


@pytest.fixture
def asked(tmp_path: Path) -> Study:
    return study_of(tmp_path / "run", trainable, trials=3, max_epochs=2, repeats=2)


def repeated(study: Study) -> None:
    result = searched(study) if study.resumed else search(study)
    assert result is not None
    run_repeats(study, result, OneNode(), Witness())


def test_they_are_trained_again_for_all_epochs(asked: Study) -> None:
    repeated(asked)
    files = RunFiles(asked.folder)
    assert [trial.epochs for trial in open_run(asked.folder).repeated] == [2] * 3 * 2
    longer = going_on(asked, max_epochs=5)
    search(longer)
    run = open_run(asked.folder)
    assert (run.repeated, repeats_of(run)) == ([], [])
    assert winner(run).epochs == 5
    assert not files.repeated_weights.exists()  # the weights of 2 epochs
    more = going_on(asked)
    assert not nothing_left(more)
    repeated(more)
    run = open_run(asked.folder)
    assert [trial.epochs for trial in run.repeated] == [5] * 3 * 2
    assert len(repeats_of(run)) == 3
    assert winner(run).epochs == 5
    assert len(load_entries(files.repeats)) == 2 * 3 * 2
    assert '"epoch": 5' in files.weights.read_text()
    assert nothing_left(going_on(asked))


def test_also_where_no_trial_of_the_search_is_trained_on(tmp_path: Path) -> None:
    asked = study_of(tmp_path / "run", trainable, trials=3, max_epochs=2, repeats=2, keep=0)
    repeated(asked)
    longer = going_on(asked, max_epochs=5)
    assert not nothing_left(longer)
    repeated(longer)
    assert [trial.epochs for trial in open_run(asked.folder).repeated] == [5] * 3 * 2


def test_weights_of_a_repeat_are_no_trials_weights(
    asked: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more repeats than before, no config has all of them until they are trained."""
    repeated(asked)
    files = RunFiles(asked.folder)
    assert files.weights.is_file()
    more = going_on(asked, repeats=3)
    with killed_before(monkeypatch, 1), pytest.raises(Killed):
        repeated(more)
    assert not files.weights.exists()
    repeated(going_on(asked))
    assert len(repeats_of(open_run(asked.folder))) == 3
    assert files.weights.is_file()


def test_one_that_was_running_begins_anew(asked: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    result = search(asked)
    with killed_before(monkeypatch, 3), pytest.raises(Killed):
        run_repeats(asked, result, OneNode(), Witness())
    same, longer = going_on(asked), going_on(asked, max_epochs=5)
    assert same.resumed is not None
    assert longer.resumed is not None
    assert len(same.resumed.repeats.unfinished) == 1
    assert not longer.resumed.repeats.unfinished
