"""Repeats: which configs and seeds are used, and which config wins."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmarks.sets.configs import LENET
from pipelines import report, run
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.writing import Record
from pipelines.results.page.model import Numbers, Table, Words
from pipelines.results.run_page import report_page
from pipelines.study.repeats import (
    Repeats,
    by_config,
    repeats_of,
    run_repeats,
    top_trials,
    write_winner,
)
from pipelines.study.run_study import run_study
from pipelines.study.runs import open_run
from pipelines.study.seeding import load_configs
from pipelines.winner.candidates import winner
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.running import SPACE, Witness, study_of
from trainables.data.datasets import TrialData
from trainables.training.metrics import METRICS, Metric

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]


def diverged(value: float, of: str) -> FinishedTrial:
    return replace(trial(0.1, value, State.PRUNED, of=of), stopped_by="divergence")


def trial(
    x: float, value: float | None, state: State = State.COMPLETE, of: str = "", name: str = "t"
) -> FinishedTrial:
    return FinishedTrial(name, {"x": x}, state, {1: value or 0.0}, value, 1, repeat_of=of)


def test_the_best_configs_are_distinct() -> None:
    trials = [trial(0.1, 0.9, name="a"), trial(0.1, 0.8), trial(0.2, 0.95), trial(0.3, 0.1)]
    assert top_trials(trials, ACCURACY, 2) == [trials[2], trials[0]]
    assert top_trials(trials, LOSS, 2) == [trials[3], trials[1]]


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
def test_the_lower_bound_wins_over_the_mean(metric: Any) -> None:
    sign = 1 if metric.mode == "max" else -1
    steady = [trial(0.1, 0.5 + sign * 0.30, of="steady") for _ in range(3)]
    lucky = [trial(0.2, 0.5 + sign * v, of="lucky") for v in (0.49, 0.49, -0.05)]
    repeats = by_config([*steady, *lucky], metric)
    assert (repeats[0].trial_id, repeats[0].config) == ("steady", {"x": 0.1})
    assert sign * repeats[1].mean > sign * repeats[0].mean


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
def test_the_error_is_that_of_the_mean_and_not_of_one_repeat(metric: Metric) -> None:
    sign = 1 if metric.mode == "max" else -1
    lucky = [trial(0.1, 0.5 + sign * v, of="lucky") for v in (0.2, 0.3, 0.4)]
    steady = [trial(0.2, 0.5 + sign * 0.22, of="steady") for _ in range(3)]
    first, second = by_config([*steady, *lucky], metric)
    assert (first.trial_id, second.trial_id) == ("lucky", "steady")
    assert first.error == pytest.approx(0.1 / 3**0.5)
    assert second.bound(metric) == second.mean


def test_a_config_with_a_failed_repeat_is_left_out() -> None:
    trials = [trial(0.1, 0.9, of="a"), trial(0.1, None, State.FAIL, of="a")]
    assert by_config([*trials, trial(0.2, 0.5, of="b"), trial(0.2, 0.5, of="b")], ACCURACY) == [
        Repeats("b", {"x": 0.2}, (0.5, 0.5))
    ]


@pytest.mark.parametrize(
    ("metric", "sound", "poor"), [(LOSS, 2500.0, 9500.0), (ACCURACY, -0.5, -9.5)]
)
def test_a_repeat_that_diverged_is_no_better_than_a_sound_one(
    metric: Metric, sound: float, poor: float
) -> None:
    """A user's own losses may be above 1000, and their scores may be negative."""
    both = [trial(0.1, sound, of="a"), diverged(metric.worst, of="a")]
    others = [trial(0.2, poor, of="b"), trial(0.2, poor, of="b")]
    assert by_config([*both, *others], metric) == [
        Repeats("b", {"x": 0.2}, (poor, poor)),
        Repeats("a", {"x": 0.1}, (sound, poor)),
    ]


def test_a_config_with_fewer_repeats_than_asked_for_is_left_out(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a driver that was killed during the repeats."""
    trials = [made([v], config=LENET, trial_id=name) for name, v in (("a", 0.9), ("b", 0.8))]
    run = open_run(write_run(Path("it"), trials, repeats=3))
    record = Record(run.files, run.files.repeats, run.space, run.goals)
    for of, value, n in (("a", 0.4, 3), ("b", 0.5, 2)):
        for seed in range(n):
            again: Any = {"trial_id": f"{of}{seed}", "repeat_of": of, "seed": seed + 1}
            record.append(made([value], config=LENET, **again))
    record.close()
    assert [r.trial_id for r in repeats_of(run)] == ["a"]
    assert winner(run).number == 0
    assert main(report.app, ["it"]) == 0
    told = capsys.readouterr().out
    assert "with 3 other seeds each" in told
    assert "0.4000 +- 0.0000" in told
    assert "0.5000 +- 0.0000" not in told


def test_the_page_says_which_trial_is_the_winner(tmp_path: Path) -> None:
    configs = {"a": {**LENET, "lr": 0.01}, "b": LENET}
    trials = [
        made([v], config=configs[name], trial_id=name) for name, v in (("a", 0.9), ("b", 0.8))
    ]
    it = open_run(write_run(tmp_path / "it", trials, repeats=2))
    record = Record(it.files, it.files.repeats, it.space, it.goals)
    for of, value in (("a", 0.4), ("b", 0.5)):
        for seed in (1, 2):
            again: Any = {"trial_id": f"{of}{seed}", "repeat_of": of, "seed": seed}
            record.append(made([value], config=configs[of], **again))
    record.close()
    blocks = report_page(open_run(it.files.folder)).sections[0].blocks
    (words,) = (b.text for b in blocks if isinstance(b, Words) and "other seeds" in b.text)
    assert "Trial 1 is the winner" in words
    assert "evaluate.py and export.py take it" in words
    (numbers,) = (b for b in blocks if isinstance(b, Numbers))
    assert dict(numbers.entries)["winner of the repeats"] == "trial 1: 0.5000 ± 0.0000"
    table = blocks[-1]
    assert isinstance(table, Table)
    assert table.head[0] == "trial"
    assert [row[0] for row in table.rows] == ["1", "0"]


@pytest.mark.usefixtures("elsewhere")
def test_that_repeats_begin_is_said_and_their_values_are_no_new_best(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", "wine", "--trials", "2", "--max-epochs", "1", "--scheduler", "none"]
    options += ["--no-baseline", "--no-dashboard"]
    assert main(run.app, [*options, "--repeats", "2", "--name", "it"]) == 0
    told = capsys.readouterr().out
    begin = "repeats   the 2 best configs train again, with 2 other seeds each\n"
    search, found, repeats = told.partition(begin)
    assert found
    assert "new best" in search
    assert "new best" not in repeats
    assert len(open_run("runs/it").repeated) == 4


def test_the_winner_is_a_config_to_start_with(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    write_winner(files, {"x": 0.25})
    assert yaml.safe_load(files.winner.read_text()) == [{"x": 0.25}]
    assert load_configs(files.winner, SPACE) == ({"x": 0.25},)


def test_a_full_disk_leaves_the_winner_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RunFiles(tmp_path)
    write_winner(files, {"x": 0.25})

    def half(path: Path, text: str) -> None:
        path.write_bytes(text[: len(text) // 2].encode())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match=r"winner\.yaml"):
        write_winner(files, {"x": 0.5})
    assert yaml.safe_load(files.winner.read_text()) == [{"x": 0.25}]


def depends_on_its_seed(
    config: dict[str, Any], data: TrialData, *, seed: int, **_: Any
) -> Iterator[Any]:
    """With the seed of the search, x decides. With other seeds the lowest x is bad."""
    assert set(config) == {"x"}
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, config["x"])
    torch.nn.init.constant_(model.bias, seed)
    lucky = seed == 7 or config["x"] > BAD
    yield {"val_loss": config["x"] + (0 if lucky else 10) + seed / 100}, model


BAD = 0.35  # one config of seed 7 is below


def test_the_winners_weights_are_those_of_its_best_repeat(cluster: Cluster, tmp_path: Path) -> None:
    study = study_of(
        tmp_path / "run", depends_on_its_seed, trials=5, max_epochs=1, seed=7, repeats=3
    )
    result = run_study(study, cluster, Witness())
    assert result.best is not None
    assert result.best.config["x"] < BAD  # type: ignore[operator]
    repeats, _ = run_repeats(study, result, cluster, Witness())
    run = open_run(tmp_path / "run")
    assert len(run.finished) == 5
    assert len(run.repeated) == 5 * 3
    assert {t.seed for t in run.finished} == {7}
    assert {t.seed for t in run.repeated} == {8, 9, 10}
    assert {t.repeat_of for t in run.repeated} == {t.trial_id for t in run.finished}
    assert by_config(run.repeated, LOSS) == repeats
    winner = repeats[0]
    assert winner.config["x"] != result.best.config["x"]
    assert yaml.safe_load(run.files.winner.read_text()) == [winner.config]
    weights = torch.load(run.files.weights, weights_only=True)
    assert weights["weight"].item() == pytest.approx(winner.config["x"])
    assert weights["bias"].item() == 8  # the best of its seeds
    assert len(list(run.files.repeated_weights.glob("*.pt"))) == 5
