"""The best trials are trained on where a search goes on with more epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.record.events import Reported, read_events
from pipelines.record.files import RunFiles
from pipelines.record.trials import State, ranked
from pipelines.study.resume.left import check_longer, nothing_left
from pipelines.study.runs import open_run
from tests.pipelines.running import study_of
from tests.pipelines.study.small_search import SPACE, loss, recorded, study
from tests.pipelines.study.without_ray import Curve, going_on, search, search_until, without_ray
from trainables.training.metrics import METRICS

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")


def test_the_best_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = study(tmp_path / "run", "optuna", trials=16)
    search(asked)
    before = {trial.trial_id: trial for trial in recorded(asked)}
    complete = [t for t in before.values() if t.state is State.COMPLETE]
    best = [trial.trial_id for trial in ranked(complete, METRICS["val_loss"])[:3]]
    kept = {path.name for path in (asked.folder / "kept").iterdir()}
    assert kept == {f"{name}-9" for name in best}
    longer = going_on(asked, max_epochs=30)
    assert not nothing_left(longer)
    assert search_until(longer, monkeypatch, 20)  # in the middle of it
    search(going_on(asked))
    trials = recorded(asked)
    assert len(trials) == 16
    for trial in trials:
        if trial.trial_id not in best:
            assert trial == before[trial.trial_id]
            continue
        assert dict(trial.curve) | dict(before[trial.trial_id].curve) == dict(trial.curve)
        assert trial.planned[1] == 9
        assert trial.planned[10] == 30
        assert trial.epochs > 9
    assert max(trial.epochs for trial in trials) == 30
    events = read_events(RunFiles(asked.folder).events)
    reported = [(e.trial_id, n) for e in events if isinstance(e, Reported) for n in e.values]
    assert len([r for r in reported if r[0] in best and r[1] <= 9]) == 3 * 9  # none twice
    assert nothing_left(going_on(asked))
    assert open_run(asked.folder).spec.budget.max_epochs == 30


def test_a_driver_killed_before_it_notes_what_it_trains_on_loses_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=6, scheduler="none")
    search(asked)
    longer = going_on(asked, max_epochs=12)
    assert longer.resumed is not None
    assert search_until(longer, monkeypatch, 0)
    assert open_run(asked.folder).spec.budget.max_epochs == 12
    again = going_on(asked)
    assert again.resumed is not None
    assert again.resumed.search.trained_on == longer.resumed.search.trained_on != []
    search(again)
    trained = [t for t in recorded(asked) if t.epochs == 12]
    assert len(trained) == 3
    assert all(t.planned == {1: 9, 10: 12} for t in trained)
    assert nothing_left(going_on(asked))


def test_a_training_that_ends_by_itself_is_trained_on_once(tmp_path: Path) -> None:
    def short(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
        return Curve(loss, config, min(max_epochs, 3))

    settings: dict[str, Any] = {"algo": "random", "trials": 4, "scheduler": "none"}
    asked = study_of(tmp_path / "run", short, space=SPACE, max_epochs=3, **settings)
    search(asked)
    longer = going_on(asked, max_epochs=6)
    assert not nothing_left(longer)
    search(longer)
    assert {trial.epochs for trial in recorded(asked)} <= {2, 3}
    assert nothing_left(going_on(asked))


@pytest.mark.parametrize(
    ("limit", "why"), [({"target_value": 5.0}, "target, 5"), ({"time_budget": 1e-9}, "time budget")]
)
def test_no_trial_is_trained_on_after_a_limit_of_the_search(
    tmp_path: Path, limit: dict[str, Any], why: str
) -> None:
    asked = study(tmp_path / "run", trials=6, scheduler="none")
    search(asked)
    with pytest.raises(ValueError, match=f"`max_epochs` 12: .*{why}"):
        check_longer(going_on(asked, max_epochs=12, **limit))
    check_longer(going_on(asked, max_epochs=12))
    check_longer(going_on(asked, **limit))


@pytest.mark.parametrize("storage", [None, "before"])
def test_the_best_are_trained_on_with_another_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None
) -> None:
    more: dict[str, Any] = {"scheduler": "none", "storage": storage and str(tmp_path / storage)}
    asked = study(tmp_path / "run", trials=6, **more)
    search(asked)
    longer = going_on(asked, storage=str(tmp_path / "now"), max_epochs=12)
    assert longer.resumed is not None
    on = longer.resumed.search.trained_on
    assert len(on) == 3
    assert search_until(longer, monkeypatch, 2 * len(on))  # everything is recorded, nothing trained
    search(going_on(asked))
    events = read_events(RunFiles(asked.folder).events)
    epochs = [n for e in events if isinstance(e, Reported) and e.trial_id in on for n in e.values]
    assert sorted(epochs) == sorted([*range(1, 10)] * 3 + [*range(10, 13)] * 3)
    assert nothing_left(going_on(asked))


def test_those_that_were_running_are_made_longer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", scheduler="none", trials=2)
    assert search_until(asked, monkeypatch, 1 + 2 * 4)
    search(going_on(asked, max_epochs=12))
    first, second = recorded(asked)
    assert (dict(first.planned), dict(second.planned)) == ({1: 9, 5: 12}, {})
    assert first.epochs == second.epochs == 12
