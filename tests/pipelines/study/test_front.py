"""A search with requirements is killed anywhere and resumed; the front in record and page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.record.events import Events
from pipelines.record.files import RunFiles
from pipelines.record.journal import Journal
from pipelines.record.trials import REQUIREMENT, State
from pipelines.results.findings import Findings
from pipelines.results.report import write_report
from pipelines.results.run_page import report_page
from pipelines.study.finish import write_table
from pipelines.study.prepare import resolve
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.winner.candidates import candidate
from search_spaces import SPACES
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import searched
from tests.pipelines.running import spec_of, study_of
from tests.pipelines.study.without_ray import Curve, going_on, search, search_until, without_ray

__all__ = ["without_ray"]


def falls(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: config["x"] / epoch, config, max_epochs)


class SizedStudy(Study):
    """A study whose networks have 0 to 100 parameters."""

    @property
    def network_size(self) -> Any:
        return lambda config: round(100 * config["x"])


def sized(folder: Path, **settings: Any) -> Study:
    plain = study_of(
        folder, falls, algo="optuna", trials=12, require=["n_parameters<50"], **settings
    )
    return SizedStudy(**vars(replace(plain)))


def told(folder: Path) -> list[tuple[Any, ...]]:
    trials = open_run(folder).finished
    return [(t.config, t.state, t.value, t.broken, t.stopped_by, t.epochs) for t in trials]


def test_what_is_too_large_is_a_trial_that_is_not_trained(
    without_ray: None, tmp_path: Path
) -> None:
    result = search(sized(tmp_path / "run"))
    large = [t for t in result.trials if round(100 * float(t.config["x"])) >= 50]
    assert len(result.trials) == 12
    assert result.infeasible == large != []
    assert {t.stopped_by for t in large} == {REQUIREMENT}
    assert {t.epochs for t in large} == {0}
    assert all(t.n_parameters is not None for t in result.trials)
    run = open_run(tmp_path / "run")
    assert run.best is not None
    assert result.best is not None
    assert run.best.trial_id == result.best.trial_id
    number = run.finished.index(large[0])
    with pytest.raises(ValueError, match=f"`trial` {number} of .* breaks n_parameters<50"):
        candidate(run, str(number))


@pytest.mark.parametrize(
    ("goals", "option"),
    [({"also": ["seconds"]}, "also"), ({"require": ["seconds<9"]}, "require")],
)
def test_seconds_in_which_a_trial_waits_are_no_objective(
    goals: dict[str, Any], option: str
) -> None:
    spec = spec_of(scheduler="hyperband", **goals)
    with pytest.raises(ValueError, match=f"`{option}` seconds: `scheduler=hyperband` pauses"):
        resolve(spec)


def test_what_is_too_slow_is_stopped_there(without_ray: None, tmp_path: Path) -> None:
    study = study_of(
        tmp_path / "run", falls, algo="optuna", trials=4, max_epochs=5, require=["seconds<1e-9"]
    )
    result = search(study)
    assert result.best is None
    assert [(t.epochs, t.stopped_by, t.broken) for t in result.trials] == [
        (1, REQUIREMENT, "seconds<1e-09")
    ] * 4
    assert not any(t.untrained for t in open_run(tmp_path / "run").finished)


def test_of_equal_scores_the_best_is_one_that_no_other_beats(tmp_path: Path) -> None:
    level: dict[str, Any] = {"value": 0.9, "metrics": {"val_accuracy": 0.9}, "n_parameters": 9}
    made = [replace(trial, **level) for trial in searched(4, stopped=False)]
    stopped = replace(made[1], n_parameters=1, state=State.PRUNED, stopped_by="scheduler")
    small, large = replace(made[2], n_parameters=5), replace(made[3], n_parameters=7)
    trials = [made[0], stopped, small, large]
    run = open_run(write_run(tmp_path / "run", trials, also=["n_parameters"]))
    assert run.best is not None
    assert run.best.trial_id == run.front[0].trial_id == small.trial_id
    assert report_page(run).trials["best"] == Findings(run).best_number == 2
    one = open_run(write_run(tmp_path / "one", trials))
    assert one.best is not None
    assert one.best.trial_id == made[0].trial_id


@pytest.mark.parametrize(("what", "step"), [((Events, "_append"), 6), ((Journal, "append"), 1)])
def test_it_goes_on_as_if_it_had_not_been_killed(
    without_ray: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: tuple[type, str],
    step: int,
) -> None:
    whole = sized(tmp_path / "whole")
    search(whole)
    for number in range(0, 99, step):
        broken = sized(tmp_path / f"killed-{number}")
        if not search_until(broken, monkeypatch, number, what):
            break
        search(going_on(broken))
        assert told(broken.folder) == told(whole.folder), number
    else:
        raise AssertionError("the search was longer than the test")
    assert number > 5 * step


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run of 40 trials. Larger networks cost more, and those from 1000 on are not allowed."""
    trials = []
    for number, trial in enumerate(searched(40, stopped=False)):
        size = 100 + 50 * number
        broken = "n_parameters<1000" if size >= 1000 else ""
        metrics = {"val_accuracy": trial.value or 0.0}
        trials.append(replace(trial, n_parameters=size, broken=broken, metrics=metrics))
    settings: dict[str, Any] = {"also": ["n_parameters"], "require": ["n_parameters<1e3"]}
    return write_run(tmp_path / "run", trials, **settings)


def test_the_front_in_record_and_page(run_folder: Path) -> None:
    run = open_run(run_folder)
    front = run.front
    assert front
    assert all(t.state is State.COMPLETE and not t.broken for t in front)
    assert front[0] == run.best
    write_table(RunFiles(run_folder), run.finished, run.goals)
    trials = pd.read_csv(run_folder / "trials.csv")
    assert list(trials["n_parameters"]) == [t.n_parameters for t in run.finished]
    assert list(trials["broken"].fillna("")) == [t.broken for t in run.finished]
    table = pd.read_csv(run_folder / "front.csv")
    assert list(table["number"]) == [run.finished.index(t) for t in front]
    assert list(table["n_parameters"]) == [t.n_parameters for t in front]
    page = report_page(run)
    section = next(section for section in page.sections if section.id == "front")
    (drawing,) = section.drawings
    on_front = next(trace for trace in drawing.figure.data if trace.name == "on the front")
    assert sorted(on_front.customdata) == sorted(run.finished.index(t) for t in front)
    assert "infeasible" in [trace.name for trace in drawing.figure.data]
    assert "n_parameters" in [column["name"] for column in page.trials["columns"]]
    assert "front" in write_report(run).read_text()


def test_optunas_own_tools_see_both_objectives(run_folder: Path) -> None:
    study = open_run(run_folder).study
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    front = {trial.trial_id for trial in open_run(run_folder).front}
    assert {t.user_attrs["trial_id"] for t in study.best_trials} == front


def test_a_run_with_one_objective_has_no_front(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", searched(8), space=SPACES["mlp"]))
    assert "front" not in [section.id for section in report_page(run).sections]
    assert Findings(run).best == run.best
