"""What a longer training costs, where it goes wrong: nothing. What the trial had reached counts."""

from __future__ import annotations

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any, cast

import pytest

from pipelines.record.events import Reported, read_events
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State, ranked
from pipelines.results.page.model import Table, Words
from pipelines.results.run_page import report_page
from pipelines.study.resume.left import nothing_left
from pipelines.study.run_study import run_study
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.tuner.rebuilding import tell_again
from pipelines.tuner.scheduling.judge import Judge
from pipelines.winner.candidates import winner
from pipelines.winner.trained import kept_of
from search_spaces import Config
from tests.pipelines.running import Witness, study_of
from tests.pipelines.study.without_ray import (
    Curve,
    OneNode,
    Tuner,
    going_on,
    search,
    search_until,
    without_ray,
)
from trainables.training.metrics import METRICS

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")

SHORT, LONG = 3, 6  # epochs


class Training:
    """A trainable whose loss is ``x`` plus a part that falls. Configs below ``below`` get ``late``
    as their loss after the short training."""

    def __init__(self, late: float = math.nan) -> None:
        self.late, self.below = late, 0.0

    def __call__(self, config: Config, data: Any, *, max_epochs: int, **_: Any) -> Curve:
        return Curve(self.loss, config, max_epochs)

    def loss(self, config: dict[str, Any], epoch: int) -> float:
        x = float(config["x"])
        return self.late if epoch > SHORT + 1 and x < self.below else x + 1 / epoch


def searched(folder: Path, trainable: Any, **more: Any) -> Study:
    asked = study_of(folder, trainable, trials=6, max_epochs=SHORT, **more)
    search(asked)
    return asked


def in_order(study: Study) -> list[FinishedTrial]:
    return ranked(open_run(study.folder).finished, METRICS["val_loss"])


def weights(study: Study) -> dict[str, Any]:
    """The epoch and the config of the weights that the run has kept."""
    found: dict[str, Any] = json.loads(RunFiles(study.folder).weights.read_text())
    return found


def are_the_winners(study: Study) -> bool:
    best = open_run(study.folder).best
    assert best is not None
    return bool(weights(study)["config"] == best.config)


def x_of(trial: FinishedTrial) -> float:
    return float(trial.config["x"])


def test_one_whose_end_the_journal_has_lost_has_no_gap_in_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut that the first line of the events of a longer training survived."""
    asked, number = study_of(tmp_path / "run", Training(), trials=1, max_epochs=SHORT), 1
    search(asked)
    shutil.copytree(asked.folder, tmp_path / "copy")
    while search_until(going_on(asked, max_epochs=LONG), monkeypatch, number):
        journal = RunFiles(asked.folder).journal
        journal.write_text(journal.read_text().splitlines(keepends=True)[0])
        search(going_on(asked))
        (trial,) = in_order(asked)
        assert list(trial.curve) == list(range(1, LONG + 1)), number
        shutil.rmtree(asked.folder)
        shutil.copytree(tmp_path / "copy", asked.folder)
        number += 1
    assert number > 3


@pytest.mark.parametrize("keep", [1, 3])
def test_one_that_diverges_keeps_what_it_had_reached(tmp_path: Path, keep: int) -> None:
    training = Training()
    asked = searched(tmp_path / "run", training, keep=keep)
    before = in_order(asked)
    of_the_best = weights(asked)
    training.below = x_of(before[keep])
    witness = Witness()
    run_study(going_on(asked, max_epochs=LONG), OneNode(), witness)
    after = in_order(asked)
    best = before[0]
    assert [(t.trial_id, t.value) for t in after] == [(t.trial_id, t.value) for t in before]
    assert weights(asked) == of_the_best
    run = open_run(asked.folder)
    assert kept_of(run, winner(run)) is not None
    assert [t.trained_on_in_vain for t in after] == [True] * keep + [False] * (6 - keep)
    why = f"its longer training diverged in epoch {SHORT + 2}; that of {SHORT} epochs counts"
    assert (after[0].state, after[0].curve, after[0].error) == (State.COMPLETE, best.curve, why)
    assert after[0].planned == {1: SHORT, SHORT + 1: LONG}
    assert witness.shown[-1].best == best.value
    assert (witness.shown[-1].diverged, witness.shown[-1].finished) == (0, 6)
    assert nothing_left(going_on(asked))
    assert list((asked.folder / "kept").iterdir()) == []
    longer = going_on(asked, max_epochs=2 * LONG).resumed
    assert longer is not None
    assert not longer.search.trained_on  # it would diverge again


def test_weights_of_one_that_was_the_best_and_diverged_are_not_the_winners(tmp_path: Path) -> None:
    """It was the best when its search was interrupted."""
    began: list[float] = []

    def trainable(config: Config, data: Any, *, max_epochs: int, **_: Any) -> Curve:
        began.append(float(config["x"]))
        best, resumed = len(set(began)) == 3, began.count(began[-1]) > 1

        def loss(config: dict[str, Any], epoch: int) -> float:
            if best and epoch == 2 and not resumed:
                signal.raise_signal(signal.SIGINT)
            return math.nan if best and epoch > 2 else (0.0 if best else config["x"])

        return Curve(loss, config, max_epochs)

    asked = study_of(tmp_path / "run", trainable, trials=4, max_epochs=SHORT)
    assert search(asked).ended_by == "interrupt"
    run = open_run(asked.folder)
    assert kept_of(run, winner(run)) is not None
    search(going_on(asked))
    run = open_run(asked.folder)
    assert len(run.result.diverged) == 1
    assert kept_of(run, winner(run)) is None


def test_a_search_that_is_killed_meanwhile_ends_like_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    settings: dict[str, Any] = {"scheduler": "median", "keep": 3}
    whole, cut = (searched(tmp_path / name, training, **settings) for name in ("whole", "cut"))
    training.below = x_of(in_order(whole)[1])

    def ends(study: Study) -> list[Any]:
        return [(t.config, t.state, t.curve, t.value, t.error) for t in in_order(study)]

    search(going_on(whole, max_epochs=LONG, trials=20))
    assert sum(t.trained_on_in_vain for t in in_order(whole)) == 1
    for number in range(0, 60, 7):
        shutil.copytree(cut.folder, tmp_path / "copy")
        assert search_until(going_on(cut, max_epochs=LONG, trials=20), monkeypatch, number)
        search(going_on(cut))
        assert ends(cut) == ends(whole), number
        shutil.rmtree(cut.folder)
        (tmp_path / "copy").rename(cut.folder)


def test_only_the_last_state_of_a_trial_is_kept(tmp_path: Path) -> None:
    asked = searched(tmp_path / "run", Training(), keep=2)
    names = [trial.trial_id for trial in in_order(asked)[:2]]
    for epochs in (LONG, 2 * LONG):
        search(going_on(asked, max_epochs=epochs))
        kept = {path.name for path in (asked.folder / "kept").iterdir()}
        assert kept == {f"{name}-{epochs}" for name in names}


def test_the_page_says_which_longer_trainings_do_not_count(tmp_path: Path) -> None:
    training = Training()
    asked = searched(tmp_path / "run", training, keep=2)
    training.below = x_of(in_order(asked)[2])
    search(going_on(asked, max_epochs=LONG))
    page = report_page(open_run(asked.folder))
    (remarks,) = (part for part in page.sections if part.id == "remarks")
    words, table = remarks.blocks[:2]
    assert isinstance(words, Words)
    assert words.text.startswith("2 longer trainings went wrong")
    assert isinstance(table, Table)
    error = "its longer training diverged in epoch 5; that of 3 epochs counts"
    assert table.rows == [["2", error]]
    assert page.trials["why"].count(error) == 2


class Heard:
    """A judge that remembers the epochs that it is told about trials that have ended."""

    def __init__(self) -> None:
        self.epochs: list[tuple[str, int]] = []

    def hears(self, trial_id: str, epoch: int, value: float) -> None:
        self.epochs.append((trial_id, epoch))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_the_scheduler_hears_again_of_epochs_that_do_not_count(tmp_path: Path) -> None:
    training = Training()
    asked = searched(tmp_path / "run", training, keep=1)
    training.below = x_of(in_order(asked)[1])
    search(going_on(asked, max_epochs=LONG))
    again, heard = going_on(asked), Heard()
    assert again.resumed is not None
    tell_again(cast(Judge, heard), again.resumed.search)
    events = read_events(RunFiles(asked.folder).events)
    told = [(e.trial_id, epoch) for e in events if isinstance(e, Reported) for epoch in e.values]
    assert heard.epochs == told
    assert len(told) == 6 * SHORT + 1


def test_the_weights_are_the_winners_where_the_driver_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second best ends its longer training first."""
    monkeypatch.setattr(Tuner, "slots", 2)
    last: dict[float, int] = {}

    def trainable(config: Config, data: Any, *, max_epochs: int, **_: Any) -> Curve:
        epochs = last.get(float(config["x"]), max_epochs)
        return Curve(lambda config, epoch: config["x"] + 1 / epoch, config, epochs)

    asked = searched(tmp_path / "run", trainable, keep=2)
    last[x_of(in_order(asked)[1])] = SHORT + 1
    killed, number = True, 0
    while killed:
        shutil.copytree(asked.folder, tmp_path / "copy")
        killed = search_until(going_on(asked, max_epochs=LONG), monkeypatch, number)
        assert are_the_winners(asked), number
        shutil.rmtree(asked.folder)
        (tmp_path / "copy").rename(asked.folder)
        number += 1
    assert number > 10
