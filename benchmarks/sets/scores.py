"""How networks and models of scikit-learn score on the panel."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from search_spaces import Config
from trainables.data.datasets import TestData, TrialData
from trainables.networks import NETWORKS
from trainables.training.batches import EVALUATION_BATCH
from trainables.training.objective import objective_of

MOST_EPOCHS = 100
CPU = torch.device("cpu")
PEERS = ("linear", "random forest", "gradient boosting")


@dataclass(frozen=True)
class Score:
    """The scores of one side: AUC of a classification (the mean over the classes), R2 of a
    regression, or the accuracy for images."""

    table: str
    side: str
    seed: int
    test: float
    val: float
    seconds: float  # of CPU; of wall time in searched_panel.py
    epochs: int = 0
    epoch_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_of(data: TrialData) -> str:
    return "auc" if data.task == "classification" else "r2"


def score_network(
    config: Config,
    data: TrialData,
    test: TestData,
    *,
    seconds: float,
    seed: int,
    most_epochs: int = MOST_EPOCHS,
    network: str = "mlp",
    measure: str = "",
) -> dict[str, Any]:
    """Train a network for ``seconds`` of CPU, or for ``most_epochs`` if that is less, and judge it
    in the epoch with the best validation score.

    How many epochs the seconds allow is measured first, because the learning rate policy has to
    know it. A network that diverges in its first epoch scores 0, like a constant guess in R2.
    """
    measure = measure or measure_of(data)
    each = _epoch_seconds(network, config, data)
    epochs = int(min(max(seconds / each, 1), most_epochs))
    started = time.process_time()
    best, best_state, best_model = -np.inf, {}, None
    for metrics, model in NETWORKS[network](config, data, max_epochs=epochs, seed=seed, device=CPU):
        best_model = best_model or model
        if not metrics["diverged"] and metrics[f"val_{measure}"] > best:
            best = float(metrics[f"val_{measure}"])
            best_state = {name: t.clone() for name, t in model.state_dict().items()}
    used = time.process_time() - started
    tested = 0.0
    if best_model is not None and best_state:
        best_model.load_state_dict(best_state)
        tested = _judged(best_model, data, test, measure)
    return {
        "test": tested,
        "val": best if best_state else 0.0,
        "seconds": used,
        "epochs": epochs,
        "epoch_seconds": used / epochs,
    }


def _epoch_seconds(network: str, config: Config, data: TrialData) -> float:
    training = NETWORKS[network](config, data, max_epochs=MOST_EPOCHS, seed=0, device=CPU)
    if len(data.x_train) < 50_000:
        next(training)  # warm up
    started = time.process_time()
    next(training, None)  # it may have diverged
    return time.process_time() - started


@torch.no_grad()
def _judged(model: torch.nn.Module, data: TrialData, test: TestData, measure: str) -> float:
    model.eval()
    outputs = torch.cat([model(x) for x in torch.split(torch.from_numpy(test.x), EVALUATION_BATCH)])
    scores = objective_of(data).judge(outputs, torch.from_numpy(test.y))
    return scores.values[measure]


def score_peer(name: str, data: TrialData, test: TestData, *, seed: int) -> dict[str, Any]:
    """Fit and score one of PEERS, on the inputs that the network has."""
    from threadpoolctl import threadpool_limits

    started = time.process_time()
    model = peer_model(name, data.task, seed)
    with threadpool_limits(1):
        model.fit(data.x_train, data.y_train)
        found = [
            peer_score(model, data, x, y) for x, y in ((test.x, test.y), (data.x_val, data.y_val))
        ]
    return {"test": found[0], "val": found[1], "seconds": time.process_time() - started}


def peer_model(name: str, task: str, seed: int) -> Any:
    """One of PEERS, not fitted yet."""
    from sklearn import ensemble, linear_model

    classifies = task == "classification"
    if name == "linear":
        if classifies:
            return linear_model.LogisticRegression(max_iter=300)
        return linear_model.Ridge()
    if name == "random forest":
        kind = ensemble.RandomForestClassifier if classifies else ensemble.RandomForestRegressor
        return kind(random_state=seed, max_features="sqrt" if classifies else 1 / 3)
    kind = (
        ensemble.HistGradientBoostingClassifier
        if classifies
        else ensemble.HistGradientBoostingRegressor
    )
    return kind(random_state=seed)


def flat(x: np.ndarray) -> np.ndarray:
    """Rows (n, ...) as scikit-learn takes them: (n, n_features)."""
    return x.reshape(len(x), -1)


def peer_score(
    model: Any, data: TrialData, x: np.ndarray, y: np.ndarray, measure: str = ""
) -> float:
    """The accuracy if that is the ``measure``; otherwise AUC of a classification, R2 of a
    regression."""
    from sklearn import metrics

    if measure == "accuracy":
        return float(metrics.accuracy_score(y, model.predict(x)))
    if data.task == "regression":
        return float(metrics.r2_score(y, model.predict(x)))
    truth = np.eye(data.n_classes)[y]
    return float(metrics.roc_auc_score(truth, model.predict_proba(x)))
