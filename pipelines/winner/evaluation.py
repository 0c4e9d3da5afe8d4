"""The test set, once: the winner trained for good with several seeds, and what it is worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.record.looks import Look, add_look
from pipelines.study.prepare import load_test_rows
from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate
from pipelines.winner.one_training import Training
from pipelines.winner.training import all_but_test, train_all, trainable_of
from trainables.baselines import arguments_of, baselines
from trainables.data.datasets import TestData, TrialData

if TYPE_CHECKING:
    from torch import Tensor, nn

_MOST_POINTS = 2000  # of a regression's predictions that the record keeps


def check_first_look(run: Run, *, again: bool) -> None:
    """Raises ``ValueError`` where the test set has been looked at, unless it is to be ``again``."""
    if run.looks and not again:
        times = "once" if len(run.looks) == 1 else f"{len(run.looks)} times"
        raise ValueError(
            f"{run.files.folder} has looked at its test set {times}: who chooses by what a further "
            "look shows has tuned on the test set; `again` looks all the same, and is counted"
        )


def evaluate(
    run: Run,
    candidates: Sequence[Candidate],
    n_seeds: int,
    done: Callable[[int], None] = lambda n: None,
) -> Look:
    """Train each of ``candidates`` with ``n_seeds`` seeds that the search has not used, on the
    connected cluster; then read the test rows, once, also for quick models that are fitted on the
    same samples. Several candidates are an ensemble: the mean of their predictions. The record gets
    the look.

    Raises ``ValueError`` where the data have changed, where the trainable yields no model, and
    where a training diverges.
    """
    spec = run.spec
    data = all_but_test(run)
    first = spec.search.seed + 1 + (spec.budget.repeats or 0)
    seeds = tuple(range(first, first + n_seeds))
    trainings = [
        Training(c.trial.config, c.epochs, spec.budget.max_epochs, seed)
        for seed in seeds
        for c in candidates
    ]
    models = train_all(trainable_of(run), data, trainings, spec.resources.trial, done)
    if None in models:
        seed = trainings[models.index(None)].seed
        raise ValueError(f"the training with seed {seed} diverged: choose another `trial`")
    n = len(candidates)
    ensembles = [models[i : i + n] for i in range(0, len(models), n)]
    look = Look(
        when=round(time.time(), 3),
        trials=tuple(c.number for c in candidates),
        configs=tuple(dict(c.trial.config) for c in candidates),
        epochs=tuple(c.epochs for c in candidates),
        seeds=seeds,
        trained_on=len(data.x_train),
        **_judged(data, load_test_rows(spec), ensembles),
    )
    add_look(run.files.looks, look)
    return look


def _judged(
    data: TrialData, test: TestData, ensembles: Sequence[Sequence[nn.Module | None]]
) -> dict[str, Any]:
    import torch

    from trainables.training.objective import objective_of
    from trainables.training.predictions import Predictions

    objective, y = objective_of(data), torch.from_numpy(test.y)
    outputs = [_predict(models, test.x, data.task) for models in ensembles]
    scores = [objective.judge(output, y) for output in outputs]
    values = {f"test_{name}": [s.values[name] for s in scores] for name in objective.measures}
    arrays = {"x_train": data.x_train, "y_train": data.y_train, "x_val": test.x, "y_val": test.y}
    found: dict[str, Any] = {
        "baselines": {
            model: {n.replace("val_", "test_"): float(v) for n, v in metrics.items()}
            for model, metrics in baselines(arrays, **arguments_of(data))
            if metrics
        },
        "samples": len(test.x),
        "values": {**values, "test_loss": [s.loss for s in scores]},
    }
    if data.task == "classification":
        counts = torch.stack([Predictions(output, y).confusion for output in outputs])
        return {**found, "confusion": counts.mean(0).tolist()}
    mean = torch.stack(outputs).mean(0).squeeze(1).numpy()
    pairs = np.stack([test.y, mean], 1) * data.target_std + data.target_mean
    return {**found, "predicted": pairs[:_MOST_POINTS].round(6).tolist()}


def _predict(models: Sequence[nn.Module | None], x: np.ndarray, task: str) -> Tensor:
    """The outputs of one network; of several the logarithm of their mean probabilities, or the mean
    of their values."""
    import torch

    from trainables.training.batches import EVALUATION_BATCH

    outputs = []
    with torch.no_grad():
        for model in models:
            assert model is not None
            batches = torch.split(torch.from_numpy(x), EVALUATION_BATCH)
            outputs.append(torch.cat([model(batch) for batch in batches]))
    if len(outputs) == 1:
        return outputs[0]
    if task == "regression":
        return torch.stack(outputs).mean(0)
    return torch.stack([output.softmax(1) for output in outputs]).mean(0).log()
