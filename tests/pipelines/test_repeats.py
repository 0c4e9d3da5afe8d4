"""Repeats: which configs, which seeds, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cluster.connect import Cluster
from pipelines.search.record import load_trials
from pipelines.search.repeats import Repeats, by_config, run_repeats, top_configs, write_winner
from pipelines.search.study import StudySpec
from pipelines.search.trials import FinishedTrial, State
from tests.pipelines.running import SPACE, Witness, data
from trainables.data.datasets import TrialData
from trainables.training.metrics import METRICS

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]


def trial(
    x: float, value: float | None, state: State = State.COMPLETE, **more: Any
) -> FinishedTrial:
    return FinishedTrial("t", {"x": x, **more}, state, {1: value or 0.0}, value, 1)


def test_the_best_configs_are_distinct() -> None:
    trials = [trial(0.1, 0.9), trial(0.1, 0.8), trial(0.2, 0.95), trial(0.3, 0.1)]
    assert top_configs(trials, ACCURACY, 2) == [{"x": 0.2}, {"x": 0.1}]
    assert top_configs(trials, LOSS, 2) == [{"x": 0.3}, {"x": 0.1}]


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
def test_the_lower_bound_wins_over_the_mean(metric: Any) -> None:
    sign = 1 if metric.mode == "max" else -1
    steady = [trial(0.1, 0.5 + sign * 0.30, seed=s) for s in (1, 2, 3)]
    lucky = [trial(0.2, 0.5 + sign * v, seed=s) for s, v in ((1, 0.49), (2, 0.49), (3, -0.05))]
    repeats = by_config([*steady, *lucky], metric)
    assert repeats[0].config == {"x": 0.1}
    assert sign * repeats[1].mean > sign * repeats[0].mean


def test_a_config_with_a_failed_repeat_is_left_out() -> None:
    trials = [trial(0.1, 0.9, seed=1), trial(0.1, None, State.FAIL, seed=2)]
    assert by_config([*trials, trial(0.2, 0.5, seed=1), trial(0.2, 0.5, seed=2)], ACCURACY) == [
        Repeats({"x": 0.2}, (0.5, 0.5))
    ]


def test_the_winner_is_a_config_to_start_with(tmp_path: Path) -> None:
    write_winner(tmp_path / "winner.yaml", Repeats({"x": 0.25}, (0.5, 0.6)))
    assert yaml.safe_load((tmp_path / "winner.yaml").read_text()) == [{"x": 0.25}]


def depends_on_its_seed(
    config: dict[str, Any], data: TrialData, *, seed: int, **_: Any
) -> Iterator[Any]:
    assert set(config) == {"x"}
    yield {"val_loss": config["x"] + seed}, None


def test_repeats_are_a_run_of_their_own_with_other_seeds(cluster: Cluster, tmp_path: Path) -> None:
    spec = StudySpec("random", "test", "zeros", "val_loss", 9, 2, seed=7, repeats=3)
    trials = run_repeats(
        spec,
        [{"x": 0.5}, {"x": 0.25}],
        folder=tmp_path / "run" / "repeats",
        space=SPACE,
        trainable=depends_on_its_seed,
        data=data(),
        slots=lambda: 2,
        observer=Witness(),
    )
    recorded = load_trials(tmp_path / "run" / "repeats")
    assert len(recorded) == len(trials) == 6
    assert {t.config["seed"] for t in recorded} == {8, 9, 10}
    assert [r.config for r in by_config(recorded, LOSS)] == [{"x": 0.25}, {"x": 0.5}]
    assert sorted(by_config(recorded, LOSS)[0].values) == [8.25, 9.25, 10.25]
