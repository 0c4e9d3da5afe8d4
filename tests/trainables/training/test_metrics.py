"""The metrics compared with scikit-learn's, in the target's units, and the weights of classes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp
from scipy.stats import rankdata
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_class_weight

from trainables.data.datasets import TrialData, load, with_balanced_classes
from trainables.networks.ensemble import mean_prediction
from trainables.training.metrics import METRICS, metrics_of
from trainables.training.objective import Scores, metric_of, objective_of


def judged(data: TrialData, outputs: np.ndarray) -> Scores:
    """The scores of ``outputs`` for the validation samples of ``data``."""
    return objective_of(data).judge(torch.tensor(outputs), torch.tensor(data.y_val))


def classification(n: int, shares: list[float], seed: int) -> TrialData:
    """Data with random labels. :func:`outputs_of` makes outputs that hint at them."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(len(shares)), rng.choice(len(shares), n, p=shares)])
    x = np.zeros((len(y), 1), np.float32)
    names = tuple("abcdefghij"[: len(shares)])
    return TrialData("made", "classification", x, y, x, y, len(shares), names, "none")


def outputs_of(data: TrialData, levels: int | None, seed: int) -> np.ndarray:
    """Random outputs. With ``levels``, a power of two, many of them and of their differences are
    equal."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(len(data.y_val), data.n_classes)) + np.eye(data.n_classes)[data.y_val]
    rounded = raw if levels is None else np.round(raw * levels) / levels
    return np.asarray(rounded, np.float32)


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize(
    ("n", "shares"), [(300, [0.1] * 10), (200, [0.9, 0.1]), (50, [0.5, 0.3, 0.2]), (3, [0.5, 0.5])]
)
def test_a_classification_is_judged_as_by_scikit_learn(
    n: int, shares: list[float], levels: int | None
) -> None:
    data = classification(n, shares, seed=n)
    outputs, y = outputs_of(data, levels, seed=1), data.y_val
    probabilities = torch.tensor(outputs, dtype=torch.float64).softmax(1).numpy().round(14)
    truth, taken = np.eye(len(shares))[y], outputs.argmax(1)
    assert judged(data, outputs).values == pytest.approx(
        {
            "accuracy": sk.accuracy_score(y, taken),
            "balanced_accuracy": sk.balanced_accuracy_score(y, taken),
            "f1": sk.f1_score(y, taken, average="macro"),
            "auc": sk.roc_auc_score(truth, probabilities, average="macro"),
            "average_precision": sk.average_precision_score(truth, probabilities, average="macro"),
        },
        abs=1e-12,
    )


def ranks_by_odds(members: list[np.ndarray], digits: int) -> np.ndarray:
    """The rank of each sample by log(p / (1 - p)) of each class, where p is the mean probability of
    ``members``. Samples that agree in so many digits have the same rank."""
    logs = np.array([log_softmax(member.astype(float), axis=1) for member in members])
    others = [
        logsumexp(np.delete(logs, k, axis=2), axis=(0, 2)) for k in range(members[0].shape[1])
    ]
    odds = logsumexp(logs, axis=0) - np.array(others).T
    return np.asarray(rankdata(odds.round(digits), method="dense", axis=0))


@pytest.mark.parametrize("n_different", [90, 30])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("scale", [1.0, 15.0, 400.0])
def test_a_confident_network_is_ranked_by_what_its_probabilities_are_rounded_from(
    n_classes: int, n_different: int, scale: float
) -> None:
    data = classification(90, [1 / n_classes] * n_classes, seed=2)
    outputs = scale * outputs_of(data, None, seed=3)
    outputs = outputs[np.arange(len(outputs)) % n_different]
    truth, ranks = np.eye(n_classes)[data.y_val], ranks_by_odds([outputs], digits=9)
    found = judged(data, outputs).values
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, ranks), abs=1e-12)
    assert found["average_precision"] == pytest.approx(
        sk.average_precision_score(truth, ranks), abs=1e-12
    )


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n", [1, 7, 64, 359])
def test_samples_that_are_alike_are_ranked_alike(n: int, n_classes: int) -> None:
    data = classification(n, [1 / n_classes] * n_classes, seed=n)
    one = np.random.default_rng(n).normal(size=(1, n_classes)).astype(np.float32)
    found = judged(data, 5 * np.repeat(one, len(data.y_val), axis=0)).values
    assert found["auc"] == 0.5
    assert found["average_precision"] == pytest.approx(1 / n_classes)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_an_ensemble_of_confident_networks_is_ranked_by_its_odds(n_classes: int) -> None:
    data = classification(120, [1 / n_classes] * n_classes, seed=5)
    members = [20 * outputs_of(data, None, seed) for seed in (6, 7)]
    together = mean_prediction([torch.tensor(m) for m in members], "classification").numpy()
    truth = np.eye(n_classes)[data.y_val]
    ranks = ranks_by_odds(members, digits=14)
    found = judged(data, together).values
    # The odds of two opposite predictions are 1, except for rounding in float64.
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, ranks), abs=4e-4)


def test_a_regression_is_judged_in_the_units_of_the_target() -> None:
    data = load("diabetes")
    outputs = np.random.default_rng(0).normal(size=(len(data.y_val), 1)).astype(np.float32)
    y, predicted = (v * data.target_std + data.target_mean for v in (data.y_val, outputs[:, 0]))
    assert data.target_mean == pytest.approx(150, abs=20)  # diabetes goes from 25 to 346
    assert judged(data, outputs).values == pytest.approx(
        {
            "r2": sk.r2_score(y, predicted),
            "rmse": sk.root_mean_squared_error(y, predicted),
            "mae": sk.mean_absolute_error(y, predicted),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_each_metric_of_a_task_but_the_loss_is_measured(task: str) -> None:
    names = [name for name in metrics_of(task) if name != "val_loss"]  # type: ignore[arg-type]
    data = load("digits" if task == "classification" else "diabetes")
    outputs = np.zeros((len(data.y_val), data.n_classes), np.float32)
    assert list(judged(data, outputs).values) == [name.removeprefix("val_") for name in names]


def test_predictions_that_are_no_numbers_raise_nothing() -> None:
    data = load("digits")
    assert math.isnan(judged(data, np.full((len(data.y_val), 10), np.nan, np.float32)).loss)


def test_what_a_diverged_trial_scores_is_worse_than_what_the_guard_lets_through() -> None:
    data = replace(load("diabetes"), target_std=1e6)
    almost = np.sqrt(999) * np.ones((len(data.y_val), 1), np.float32)
    data = replace(data, y_val=np.zeros_like(data.y_val))
    found, worst = judged(data, almost).values, objective_of(data).worst.values
    for name in ("rmse", "mae"):
        assert METRICS[f"val_{name}"].better(found[name], worst[name])
    assert metric_of("val_rmse", [data]).worst == worst["rmse"]


def test_what_a_diverged_trial_scores_is_worse_than_chance_on_a_target_with_heavy_tails() -> None:
    """The guard lets a training pass up to four times the chance loss on the validation data."""
    usual = replace(load("diabetes"), target_std=2.0)
    data = replace(usual, y_val=np.full_like(usual.y_val, 30.0))
    objective = objective_of(data)
    zeros = np.zeros((len(data.y_val), 1), np.float32)
    for outputs in (zeros, zeros - 29.9):
        found = objective.judge(torch.tensor(outputs), torch.tensor(data.y_val))
        assert found.loss < objective.worst.loss
        for name, value in found.values.items():
            metric = METRICS[f"val_{name}"]
            assert not metric.better(objective.worst.values[name], value)
    for name in ("val_loss", "val_rmse", "val_mae"):
        told = metric_of(name, [usual, data]).worst
        own = objective.worst
        assert told == (own.loss if name == "val_loss" else own.values[name.removeprefix("val_")])
        assert metric_of(name, [usual]).worst < told


def test_balanced_classes_count_as_scikit_learn_has_it() -> None:
    data = load("breast_cancer")
    balanced = with_balanced_classes(data)
    weights = compute_class_weight("balanced", classes=np.arange(2), y=data.y_train)
    assert balanced.class_weights == pytest.approx(weights.tolist())
    assert balanced.class_shares == pytest.approx(np.full(2, 0.5))
    assert with_balanced_classes(balanced).class_weights == balanced.class_weights


def test_the_loss_weighs_the_classes() -> None:
    data = with_balanced_classes(load("breast_cancer"))
    outputs = np.zeros((len(data.y_val), 2), np.float32)
    outputs[:, 1] = 3  # right for the larger class, wrong for all others
    right, wrong = math.log(1 + math.exp(-3)), math.log(1 + math.exp(3))
    assert judged(data, outputs).loss == pytest.approx((right + wrong) / 2, rel=1e-2)
    assert objective_of(data).chance_loss == pytest.approx(math.log(2))


def test_labels_are_smoothed_where_the_optimiser_looks_and_nowhere_else() -> None:
    """Computed by hand: a tenth of each target is spread over all classes."""
    data = load("wine")
    torch.manual_seed(0)
    outputs, targets = torch.randn(len(data.y_val), 3), torch.tensor(data.y_val)
    objective = objective_of(data, label_smoothing=0.1)
    log = outputs.log_softmax(1)
    aimed = torch.eye(3)[targets] * 0.9 + 0.1 / 3
    smoothed = -(aimed * log).sum(1).mean()
    assert float(objective.train_loss(outputs, targets)) == pytest.approx(float(smoothed))
    plain = -log[torch.arange(len(targets)), targets].mean()
    assert objective.judge(outputs, targets).loss == pytest.approx(float(plain))
    unsmoothed = objective_of(data).train_loss(outputs, targets)
    assert float(unsmoothed) == pytest.approx(float(plain))


def test_chance_knows_the_shares_of_the_classes() -> None:
    data = load("breast_cancer")
    shares = np.bincount(data.y_train) / len(data.y_train)
    assert objective_of(data).chance_loss == pytest.approx(-(shares * np.log(shares)).sum())


def test_a_regression_has_no_classes_to_weigh() -> None:
    with pytest.raises(ValueError, match="'diabetes' is a regression: it has no classes to weigh"):
        with_balanced_classes(load("diabetes"))
