"""Quick scikit-learn models, measured in the same way as networks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainables import baselines as quick
from trainables.baselines import (
    MODELS,
    arguments_of,
    baselines,
    guess,
    main,
    over_folds,
    write_arrays,
)
from trainables.data.datasets import TrialData, load, with_balanced_classes
from trainables.training.metrics import METRICS, metrics_of
from trainables.training.objective import objective_of


def found(data: TrialData) -> dict[str, dict[str, float]]:
    arrays = {name: getattr(data, name) for name in ("x_train", "y_train", "x_val", "y_val")}
    return dict(baselines(arrays, **arguments_of(data)))


@pytest.mark.slow
def test_a_classification() -> None:
    data = load("breast_cancer")
    scores = found(data)
    assert list(scores) == ["majority class", "logistic regression", "gradient boosting"]
    assert list(scores) == list(MODELS[data.task])
    assert all(set(metrics) == set(metrics_of("classification")) for metrics in scores.values())
    # Outputs equal to the logarithms of the classes' shares predict the majority class.
    shares = np.bincount(data.y_train) / len(data.y_train)
    outputs = torch.from_numpy(np.log(shares)).expand(len(data.y_val), 2)
    judged = objective_of(data).judge(outputs, torch.from_numpy(data.y_val))
    for name, value in judged.values.items():
        assert scores["majority class"][f"val_{name}"] == pytest.approx(value), name
    assert scores["majority class"]["val_loss"] == pytest.approx(judged.loss)
    assert min(scores[m]["val_accuracy"] for m in list(scores)[1:]) > 0.9
    balanced = with_balanced_classes(data)
    judged = objective_of(balanced).judge(outputs, torch.from_numpy(data.y_val))
    weighted = found(balanced)
    assert weighted["majority class"]["val_loss"] == pytest.approx(judged.loss)
    name = "logistic regression"
    assert weighted[name]["val_accuracy"] != scores[name]["val_accuracy"]


def test_boosting_knows_a_class_of_a_single_row() -> None:
    n = 11_000  # gradient boosting holds rows out from 10,000 rows on
    x, y = np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n) % 2
    y[-1] = 2
    rows: dict[str, np.ndarray] = {"x_train": x, "y_train": y, "x_val": x[:9], "y_val": y[:9]}
    *_, (name, metrics) = baselines(rows, task="classification", class_weights=(), target_std=1.0)
    assert name == "gradient boosting"
    assert metrics["val_accuracy"] >= 0.5


def test_a_regression_is_in_the_units_of_the_target() -> None:
    data = load("diabetes")
    scores = found(data)
    assert list(scores) == ["mean", "ridge regression", "gradient boosting"]
    outputs = torch.zeros(len(data.y_val), 1)
    judged = objective_of(data).judge(outputs, torch.from_numpy(data.y_val))
    for name, value in judged.values.items():
        assert scores["mean"][f"val_{name}"] == pytest.approx(value, rel=1e-4), name
    assert scores["ridge regression"]["val_r2"] > 0.4


@pytest.mark.parametrize(("source", "known"), [("wine", "val_accuracy"), ("diabetes", "val_mae")])
def test_a_new_metric_is_measured_of_the_quick_models_too(
    monkeypatch: pytest.MonkeyPatch, source: str, known: str
) -> None:
    data = load(source)
    monkeypatch.setitem(METRICS, "val_new", METRICS[known])
    always_nan = replace(METRICS[known], measure=lambda predictions: torch.tensor(math.nan))
    monkeypatch.setitem(METRICS, "val_nan", always_nan)
    _, guessed = guess([data])
    for metrics in (guessed, *found(data).values()):
        assert metrics["val_new"] == pytest.approx(metrics[known])
        assert "val_nan" not in metrics


def test_images_are_rows_and_what_takes_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("digits")
    small = replace(data, x_train=data.x_train[:200], y_train=data.y_train[:200])
    monkeypatch.setattr(quick, "MOST_BOOSTED", 1000)
    scores = found(small)
    assert scores["gradient boosting"] == {}
    assert [name for name, metrics in scores.items() if metrics] == [
        "majority class",
        "logistic regression",
    ]


def test_boosting_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    trees: list[int] = []

    def count(model: Any, *_: object, std: float) -> dict[str, float]:
        trees.append(getattr(model, "max_iter", None) or 0)
        return {}

    monkeypatch.setattr(quick, "_regression", count)
    found(load("diabetes"))
    monkeypatch.setattr(quick, "SECONDS", 0.0)
    found(load("diabetes"))
    assert trees[2] == 100
    assert trees[5] == 10


def test_the_program_prints_each_as_it_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load("diabetes")
    write_arrays([data], tmp_path / "data.npz")
    main(str(tmp_path / "data.npz"), json.dumps([arguments_of(data)]))
    lines = capsys.readouterr().out.splitlines()
    assert dict(json.loads(line) for line in lines) == found(data)


def test_all_folds_together_take_no_longer_than_one_data_set() -> None:
    data = load("diabetes")
    arrays = {name: getattr(data, name) for name in ("x_train", "y_train", "x_val", "y_val")}
    share = data.x_train.size / quick.MOST_BOOSTED
    scores = dict(baselines(arrays, **arguments_of(data), share=share * 0.99))
    assert scores["gradient boosting"] == {}
    assert scores["ridge regression"]
    assert dict(over_folds([found(data).items(), scores.items()]))["gradient boosting"] == {}


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes"])
def test_what_is_known_at_once_is_the_first_of_them(name: str, balanced: bool) -> None:
    data = load(name)
    if balanced and data.task == "classification":
        data = with_balanced_classes(data)
    data = replace(data, y_val=data.y_val[data.y_val != 2])  # a class without validation samples
    data = replace(data, x_val=data.x_val[: len(data.y_val)])
    arrays = {part: getattr(data, part) for part in ("x_train", "y_train", "x_val", "y_val")}
    _, measured = next(baselines(arrays, **arguments_of(data)))
    words, at_once = guess([data])
    largest = np.bincount(data.y_train).argmax() if data.task == "classification" else None
    assert words == ("the mean" if largest is None else f"'{data.class_names[largest]}'")
    assert at_once == pytest.approx(measured, rel=1e-4)
