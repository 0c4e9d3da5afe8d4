"""A search is trained on for more epochs: its repeats are trained again for as many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.journal import load_entries
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.repeats import judged, repeats_of, run_repeats
from pipelines.study.resume.left import nothing_left, searched
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.winner.candidates import winner
from search_spaces import Config
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
    """While repeats are added, ``best.pt`` may not be of the winner."""
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


def test_also_where_the_search_is_extended_and_killed_before_the_repeats(
    asked: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeated(asked)
    weights = RunFiles(asked.folder).weights
    of_a_repeat = weights.read_text()
    more = going_on(asked, repeats=3, trials=5)
    with killed_before(monkeypatch, 3), pytest.raises(Killed):
        search(more)
    assert not weights.exists() or weights.read_text() != of_a_repeat


def test_weights_stay_where_the_same_repeats_go_on(
    asked: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = search(asked)
    weights = RunFiles(asked.folder).weights
    before = weights.read_text()
    with killed_before(monkeypatch, 4), pytest.raises(Killed):
        run_repeats(asked, result, OneNode(), Witness())
    again = going_on(asked)
    with killed_before(monkeypatch, 1), pytest.raises(Killed):
        repeated(again)
    assert weights.read_text() == before


@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_winner_stays_the_winner_while_seeds_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Of a search whose best trial is not its best config by repeats."""

    began: list[Any] = []

    def by_chance(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
        began.append(config)
        lucky = len(began) <= 4 and config["x"] > 0.5  # in the search alone
        return Curve(lambda config, epoch: 0.0 if lucky else config["x"] + 1, config, max_epochs)

    asked = study_of(tmp_path / "run", by_chance, trials=4, max_epochs=2, repeats=2)
    repeated(asked)
    run = open_run(asked.folder)
    first = winner(run).number
    assert run.best is not None
    assert run.finished[first].trial_id != run.best.trial_id
    config = RunFiles(asked.folder).winner.read_text()
    more = going_on(asked, repeats=4)
    with killed_before(monkeypatch, number), pytest.raises(Killed):
        repeated(more)
    run = open_run(asked.folder)
    assert winner(run).number == first
    assert {len(r.values) for r in repeats_of(run)} == {2}
    assert RunFiles(asked.folder).winner.read_text() == config
    repeated(going_on(asked))
    assert {len(r.values) for r in repeats_of(open_run(asked.folder))} == {4}


def test_one_without_its_repeats_is_judged_with_all_the_others_seeds(tmp_path: Path) -> None:
    goals = Goals((Aim("val_loss", "min"),))
    trials = [trial_of("a", 0.1), trial_of("b", 0.2)]
    done = [trial_of(f"{of}{seed}", 0.1, repeat_of=of, seed=seed) for of in "ab" for seed in (1, 2)]
    assert [len(r.values) for r in judged(done, trials, goals, 3)] == [2, 2]
    more = [*done, trial_of("a3", 0.1, repeat_of="a", seed=3)]
    assert [len(r.values) for r in judged(more, trials, goals, 3)] == [2, 2]
    new = [*trials, trial_of("c", 0.05)]
    assert [r.trial_id for r in judged(more, new, goals, 3)] == ["a"]
    assert [len(r.values) for r in judged(more, trials, goals, 2)] == [2, 2]


def trial_of(name: str, value: float, **more: Any) -> FinishedTrial:
    config: Config = {"x": "abc".index(more.get("repeat_of", name)) / 10}
    return FinishedTrial(name, config, State.COMPLETE, {1: value}, value, 1, **more)


def test_progress_counts_repeats_of_configs_that_are_no_longer_the_best(tmp_path: Path) -> None:
    asked = study_of(tmp_path / "run", trainable, trials=6, max_epochs=2, repeats=2)
    repeated(asked)
    search(going_on(asked, trials=30))
    again, witness = going_on(asked), Witness()
    result = searched(again)
    assert result is not None
    run_repeats(again, result, OneNode(), witness)
    n = len(open_run(asked.folder).repeated)
    assert n > 5 * 2  # five are the best now, and others were before
    assert {progress.total for progress in witness.shown} == {n}
    assert witness.shown[-1].finished == n


def test_one_that_was_running_begins_anew(asked: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    result = search(asked)
    with killed_before(monkeypatch, 3), pytest.raises(Killed):
        run_repeats(asked, result, OneNode(), Witness())
    same, longer = going_on(asked), going_on(asked, max_epochs=5)
    assert same.resumed is not None
    assert longer.resumed is not None
    assert len(same.resumed.repeats.unfinished) == 1
    assert not longer.resumed.repeats.unfinished
