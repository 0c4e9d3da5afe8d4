"""The scores of quick scikit-learn models on the same split: a network that does not beat them is
not worth its cost.

:func:`main` computes them in a process of its own.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from trainables.training.metrics import METRICS

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

SECONDS = 30.0  # of CPU time that gradient boosting may take, roughly
# Values (samples times features) up to which a model is quick on one core.
MOST_LINEAR, MOST_BOOSTED = 100_000_000, 50_000_000
# Each step sorts the values into bins again: a dozen steps would take three times as long.
_TREES = (10, 30, 100)
_BOOSTING = {"random_state": 0, "max_iter": _TREES[0], "warm_start": True}
MODELS = {
    "classification": ("majority class", "logistic regression", "gradient boosting"),
    "regression": ("mean", "ridge regression", "gradient boosting"),
}
_Models: TypeAlias = "Iterator[tuple[str, Any, float]]"  # name, model, most values it is quick with
_ARRAYS = ("x_train", "y_train", "x_val", "y_val")


def baselines(
    data: Mapping[str, np.ndarray],
    *,
    task: str,
    class_weights: Sequence[float],
    target_std: float,
    share: float = 1.0,
) -> Iterator[tuple[str, dict[str, float]]]:
    """The name of each model and its metrics on ``x_val``, the fastest model first.

    The metrics have the names of METRICS. A model that would be slow on so many values is not
    trained: its metrics are empty. The arrays of ``data`` and the other arguments are those of a
    :class:`trainables.data.datasets.TrialData`. ``share`` is the part of all limits on the time
    that is for this data: each fold gets a part.
    """
    x_train, x_val = (data[name].reshape(len(data[name]), -1) for name in ("x_train", "x_val"))
    y_train, y_val = data["y_train"], data["y_val"]
    if task == "classification":
        models = _classifiers(y_train, bool(class_weights))
        judge = partial(_classification, class_weights=np.array(class_weights))
    else:
        models, judge = _regressors(), partial(_regression, std=target_std)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a linear model that has not converged is good enough
        for name, model, most in models:
            if x_train.size > share * most:
                yield name, {}
                continue
            _fit(model, x_train, y_train, share * SECONDS)
            yield name, judge(model, x_val, y_val)


def over_folds(
    fitted: Sequence[Iterable[tuple[str, Mapping[str, float]]]],
) -> Iterator[tuple[str, dict[str, float]]]:
    """The name of each model and the means of its metrics over the folds. ``fitted`` has the models
    of each fold. The metrics are empty if the model was left out on a fold."""
    for of_folds in zip(*fitted, strict=True):
        found = [metrics for _, metrics in of_folds]
        names = found[0] if all(found) else ()
        yield of_folds[0][0], {name: fmean(float(f[name]) for f in found) for name in names}


def guess(folds: Sequence[TrialData]) -> tuple[str, dict[str, float]]:
    """The first model of :func:`baselines`, computed at once from the targets: the model in words,
    and the means of its metrics over the folds."""
    (found,) = over_folds([[_guess(data)] for data in folds])
    return found


def _guess(data: TrialData) -> tuple[str, dict[str, float]]:
    y = data.y_val
    if data.task == "regression":
        mean = data.y_train.mean(dtype=float)
        errors = y - mean
        squared = float(np.square(errors).mean())
        found = {
            "val_r2": 1 - squared / max(float(y.var(dtype=float)), 1e-12),
            "val_rmse": squared**0.5 * data.target_std,
            "val_mae": float(np.abs(errors).mean()) * data.target_std,
            "val_loss": squared,
        }
        outputs = np.full((len(y), 1), mean)
        return "the mean", found | _others(found, data.task, outputs, y, data.target_std)
    counts = np.bincount(data.y_train, minlength=data.n_classes)
    largest, shares = int(counts.argmax()), counts / counts.sum()
    hits = float((y == largest).mean())
    present = len(np.unique(np.append(y, largest)))  # F1 also counts a class that is predicted only
    tested = len(np.unique(y))
    weights = np.array(data.class_weights)[y] if data.class_weights else None
    found = {
        "val_accuracy": hits,
        "val_balanced_accuracy": (hits > 0) / tested,
        "val_f1": 2 * hits / (1 + hits) / present,
        "val_auc": 0.5,
        "val_average_precision": 1 / tested,
        "val_loss": -float(np.average(np.log(shares[y]), weights=weights)),
    }
    outputs = np.tile(_logits(shares), (len(y), 1))
    return f"'{data.class_names[largest]}'", found | _others(found, data.task, outputs, y)


def _classifiers(y: np.ndarray, balanced: bool) -> _Models:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    yield "majority class", DummyClassifier(strategy="prior"), float("inf")
    yield "logistic regression", LogisticRegression(class_weight=weights), MOST_LINEAR

    from sklearn.ensemble import HistGradientBoostingClassifier

    # Early stopping holds out rows of each class: a class with a single row cannot be split.
    stops = "auto" if np.unique(y, return_counts=True)[1].min() > 1 else False
    boosting = HistGradientBoostingClassifier(
        class_weight=weights, early_stopping=stops, **_BOOSTING
    )
    yield "gradient boosting", boosting, MOST_BOOSTED


def _regressors() -> _Models:
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    yield "mean", DummyRegressor(), float("inf")
    yield "ridge regression", Ridge(), MOST_LINEAR

    from sklearn.ensemble import HistGradientBoostingRegressor

    yield "gradient boosting", HistGradientBoostingRegressor(**_BOOSTING), MOST_BOOSTED


def _fit(model: Any, x: np.ndarray, y: np.ndarray, seconds: float) -> None:
    """Fits a model. Boosting grows in steps, to end in time or when more trees do not help."""
    started = time.process_time()
    model.fit(x, y)
    if not getattr(model, "warm_start", False):
        return
    for trees in _TREES[1:]:
        # A step takes about as long as all before it: after two thirds of the time it is too long.
        if model.n_iter_ < model.max_iter or time.process_time() - started >= seconds * 2 / 3:
            return
        model.set_params(max_iter=trees)
        model.fit(x, y)


def _classification(
    model: Any, x: np.ndarray, y: np.ndarray, *, class_weights: np.ndarray
) -> dict[str, float]:
    from sklearn import metrics

    probabilities = model.predict_proba(x)
    taken, truth = probabilities.argmax(1), np.eye(probabilities.shape[1])[y]
    some = truth.any(0)  # a class without samples has no curve
    weights = class_weights[y] if len(class_weights) else None  # as in a network's loss
    found = {
        "val_accuracy": metrics.accuracy_score(y, taken),
        "val_balanced_accuracy": metrics.balanced_accuracy_score(y, taken),
        "val_f1": metrics.f1_score(y, taken, average="macro", zero_division=0),
        "val_auc": metrics.roc_auc_score(truth[:, some], probabilities[:, some]),
        "val_average_precision": metrics.average_precision_score(
            truth[:, some], probabilities[:, some]
        ),
        "val_loss": metrics.log_loss(
            y, probabilities, labels=np.arange(len(some)), sample_weight=weights
        ),
    }
    return found | _others(found, "classification", _logits(probabilities), y)


def _regression(model: Any, x: np.ndarray, y: np.ndarray, *, std: float) -> dict[str, float]:
    from sklearn import metrics

    predicted = model.predict(x)
    found = {
        "val_r2": metrics.r2_score(y, predicted),
        "val_rmse": metrics.root_mean_squared_error(y, predicted) * std,
        "val_mae": metrics.mean_absolute_error(y, predicted) * std,
        "val_loss": metrics.mean_squared_error(y, predicted),
    }
    return found | _others(found, "regression", predicted[:, None], y, std)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Outputs of a network that has these probabilities."""
    return np.asarray(np.log(probabilities.clip(min=np.finfo(float).tiny)))


def _others(
    found: Mapping[str, float], task: str, outputs: np.ndarray, y: np.ndarray, std: float = 1.0
) -> dict[str, float]:
    """The METRICS of ``task`` that are not in ``found``, as a network with these ``outputs``
    (n, n_outputs) would have them. A value that is not finite is left out.

    Neither numpy nor scikit-learn knows these metrics, so this imports torch, if there are any.
    """
    others = {
        name: metric
        for name, metric in METRICS.items()
        if metric.task in (task, None) and metric.measure is not None and name not in found
    }
    if not others:
        return {}
    import torch

    from trainables.training.predictions import Predictions

    predictions = Predictions(torch.tensor(outputs), torch.tensor(y))
    values = {
        name: float(metric.measure(predictions)) * (std if metric.in_target_units else 1.0)
        for name, metric in others.items()
        if metric.measure is not None
    }
    return {name: value for name, value in values.items() if math.isfinite(value)}


def arguments_of(data: TrialData) -> dict[str, Any]:
    """The arguments of :func:`baselines` other than the arrays, as values that JSON can hold."""
    return {
        "task": data.task,
        "class_weights": data.class_weights,
        "target_std": data.target_std,
    }


def write_arrays(folds: Sequence[TrialData], path: Path) -> None:
    """Writes the arrays that :func:`main` reads."""
    named = {f"{name}_{n}": getattr(f, name) for n, f in enumerate(folds) for name in _ARRAYS}
    np.savez(path, **named)


def main(path: str, arguments: str, loaded: Callable[[], None] = lambda: None) -> None:
    """Prints a line of JSON for each model as soon as it is fitted on all folds.

    The arrays are those in the file ``path``, and ``arguments`` the list of :func:`arguments_of`
    each fold. The file is removed once it is read, and then ``loaded`` is called.
    """
    given = json.loads(arguments)
    with np.load(path) as arrays:
        folds = [{name: arrays[f"{name}_{n}"] for name in _ARRAYS} for n in range(len(given))]
    Path(path).unlink()
    loaded()
    share = 1 / len(folds)
    pairs = zip(folds, given, strict=True)
    for found in over_folds([baselines(fold, **its, share=share) for fold, its in pairs]):
        print(json.dumps(found), flush=True)


def end_with_parent() -> None:
    """From now on this process ends when the process at the other end of its stdin ends."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
