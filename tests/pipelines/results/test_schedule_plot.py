"""The schedule of a run's best trial: its data, its picture, and runs that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plotly.graph_objects import Figure

from benchmarks.sets.configs import LENET, STEPPED
from pipelines import report
from pipelines.cli.command import main
from pipelines.record.trials import FinishedTrial, State
from pipelines.results.figures.rates import Rates, rates_figure
from pipelines.results.figures.schedule import Plan, schedule_data
from pipelines.results.schedule import write_schedule
from search_spaces import Config
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import went_on
from trainables.training.config import TrainingConfig
from trainables.training.schedules import POLICIES

ONE_CYCLE: Config = {
    **{name: value for name, value in LENET.items() if name != "momentum"},
    "policy": "one_cycle",
    "base_lr_ratio": 0.1,
    "base_momentum": 0.85,
    "max_momentum": 0.95,
}


def trial(number: int, config: Config, value: float, **more: Any) -> FinishedTrial:
    more = {"state": State.COMPLETE, **more}
    return FinishedTrial(str(number), config, curve={1: value}, value=value, best_epoch=1, **more)


def write(folder: Path, *trials: FinishedTrial, **settings: Any) -> Path:
    return write_run(folder, trials, **{"max_epochs": 4, **settings})


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collects the figures instead of writing them, which takes half a second each."""
    figures: list[Figure] = []

    def save(figure: Figure, path: Path, *words: str) -> None:
        figures.append(figure)

    monkeypatch.setattr("pipelines.results.schedule.save", save)
    return figures


def test_the_data_are_the_rates_of_every_step() -> None:
    config = TrainingConfig(lr=0.4, policy="triangular", step_size=1, batch_size=10)
    data = schedule_data(config, 20, [Plan(1, 2)])
    assert data.epochs == [0, 0.5, 1, 1.5]
    assert data.lr == pytest.approx([0.04, 0.22, 0.4, 0.22])
    assert data.momentum == pytest.approx([0.95, 0.9, 0.85, 0.9])


def test_the_last_sample_of_an_epoch_that_trains_nothing_makes_no_step() -> None:
    config = TrainingConfig(lr=0.4, batch_size=10)
    assert schedule_data(config, 21, [Plan(1, 3)]).epochs == [0, 0.5, 1, 1.5, 2, 2.5]


def test_a_very_long_training_keeps_its_first_and_last_steps() -> None:
    config = TrainingConfig(lr=0.4, policy="cosine", batch_size=1)
    data = schedule_data(config, 50_000, [Plan(1, 10)])
    assert len(data.epochs) == len(data.lr) == len(data.momentum) == 5000
    assert (data.epochs[0], data.epochs[-1]) == (0, 10 - 1 / 50_000)
    assert data.lr[0] == 0.4
    assert data.lr[-1] < 1e-10


def test_a_training_of_one_step_has_one_point() -> None:
    data = schedule_data(TrainingConfig(lr=0.4, policy="step"), 5, [Plan(1, 1)])
    assert data == ([0], [0.4], [0.9])


def test_ends_of_cycles_are_the_lowest_points() -> None:
    config = TrainingConfig(lr=0.4, policy="one_cycle", batch_size=10)
    data = schedule_data(config, 100, [Plan(1, 9, (1, 3))])
    lowest = [n for n, lr in enumerate(data.lr) if lr == pytest.approx(4e-6)]
    assert lowest == [9, 29, 89]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_picture_shows_the_data(policy: str) -> None:
    config = TrainingConfig(lr=0.4, policy=policy, optimizer="adamw")
    data = schedule_data(config, 100, [Plan(1, 5)])
    shown = Rates(*data, [1, 2], [0.5, 0.6], len(data.lr), "betas[0]")
    figure = rates_figure(shown, "score", best_epoch=3)
    rate, momentum, curve = figure.data
    assert list(rate.x) == list(momentum.x) == data.epochs
    assert (list(rate.y), list(momentum.y)) == (data.lr, data.momentum)
    assert list(curve.y) == [0.5, 0.6]
    assert figure.layout.yaxis2.title.text == "betas[0]"
    low, high = figure.layout.yaxis2.range
    assert low < min(data.momentum) <= max(data.momentum) < high < 1


def test_a_run_has_the_schedule_of_its_best_trial(tmp_path: Path, drawn: list[Figure]) -> None:
    diverged = trial(2, STEPPED, 0.99, state=State.PRUNED, stopped_by="divergence")
    run = write(tmp_path / "run", trial(0, LENET, 0.8), trial(1, ONE_CYCLE, 0.9), diverged)
    assert write_schedule(run) == run / "schedule.html"
    rate = drawn[0].data[0]
    steps = 9  # of 1,078 samples in batches of 128
    assert len(rate.y) == 4 * steps
    assert rate.y[0] == pytest.approx(1e-4)
    assert rate.y[-1] == pytest.approx(1e-8)


@pytest.mark.parametrize(
    ("spec", "steps"), [({"data_fraction": 0.25}, 3), ({"folds": 3}, 8), ({"data": "wine"}, 1)]
)
def test_the_samples_are_those_of_the_run(
    tmp_path: Path, drawn: list[Figure], spec: dict[str, Any], steps: int
) -> None:
    write_schedule(write(tmp_path / "run", trial(0, ONE_CYCLE, 0.9), **spec))
    assert len(drawn[0].data[0].y) == 4 * steps


def test_each_plan_holds_until_the_next() -> None:
    """As in a training that is made longer after its second epoch."""
    config = TrainingConfig(lr=0.4, policy="cosine", batch_size=10)
    data = schedule_data(config, 20, [Plan(1, 3), Plan(3, 6)])
    short, long = (schedule_data(config, 20, [Plan(1, n)]) for n in (3, 6))
    assert data.epochs == long.epochs
    assert data.lr == [*short.lr[:4], *long.lr[4:]]


def test_after_changes_of_the_config_the_schedule_is_what_was_reported(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    """What the config was before its first change is not recorded."""
    reported: dict[str, Any] = {"curves": {"lr": [0.2, 0.1], "momentum": [0.9, 0.8]}}
    best = replace(trial(0, LENET, 0.9), curve={1: 0.9, 2: 0.8}, changes={2: LENET}, **reported)
    write_schedule(write(tmp_path / "run", best, scheduler="pbt", algo="random"))
    rate, momentum, _ = drawn[0].data
    assert (list(rate.x), list(rate.y)) == ([1, 2], [0.2, 0.1])
    assert list(momentum.y) == [0.9, 0.8]
    assert "markers" in rate.mode
    unknown = replace(best, curves={})
    with pytest.raises(ValueError, match="reported no learning rates: nothing to plot"):
        write_schedule(write(tmp_path / "other", unknown, scheduler="pbt", algo="random"))


def test_the_cycles_end_at_the_rungs_where_the_run_let_them(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    best = trial(0, ONE_CYCLE, 0.9)
    write_schedule(write(tmp_path / "one", best))
    write_schedule(write(tmp_path / "several", best, scheduler="aligned_asha"))
    lowest = [sum(lr == pytest.approx(1e-8) for lr in figure.data[0].y) for figure in drawn]
    assert lowest == [1, 3]  # epochs 1, 3 and 4


@pytest.mark.parametrize(
    ("more", "epochs"),
    [({"started": 101.0}, 4), ({"started": 201.0}, 9), ({"planned": {1: 4, 2: 9}}, 9)],
)
@pytest.mark.parametrize("scheduler", ["asha", "aligned_asha"])
def test_the_schedule_is_that_for_which_the_trial_planned(
    tmp_path: Path, drawn: list[Figure], scheduler: str, more: dict[str, Any], epochs: int
) -> None:
    best = replace(trial(0, ONE_CYCLE, 0.9), curve={1: 0.9, 2: 0.8}, **more)
    run = write(tmp_path / "run", best, scheduler=scheduler)
    write_schedule(went_on(run, max_epochs=9))
    rates = drawn[0].data[0].y
    assert len(rates) == 9 * epochs
    assert rates[-1] == pytest.approx(1e-8)


def test_the_command_writes_the_picture_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write(tmp_path / "run", trial(0, LENET, 0.8))
    assert main(report.app, [str(run)]) == 0
    assert not (run / "schedule.html").exists()
    listed = capsys.readouterr().out
    assert main(report.app, [str(run), "--plot-schedule"]) == 0
    assert capsys.readouterr().out == f"{listed}schedule  {run / 'schedule.html'}\n"
    page = (run / "schedule.html").read_text()
    assert "and val_accuracy over the same epochs" in page
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize(
    ("spec", "trials", "message"),
    [
        ({"trainable": "mine:train"}, [], "searched mine:train, whose schedule is not known: only"),
        ({}, [], "has no trial that neither diverged nor failed: nothing to plot"),
        ({"data": "gone"}, [trial(0, LENET, 0.8)], "unknown data set 'gone'"),
    ],
)
def test_what_has_no_schedule_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spec: dict[str, Any],
    trials: list[FinishedTrial],
    message: str,
) -> None:
    run = write(tmp_path / "run", *trials, **spec)
    assert main(report.app, [str(run), "--plot-schedule"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (run / "schedule.html").exists()
