"""The test set, read once: the winner is trained again with several seeds, and tested."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.record.looks import Look, add_look, looking
from pipelines.study.folders import check_writable
from pipelines.study.prepare import load_test_rows
from pipelines.study.runs import Run, open_run
from pipelines.tuner.outcome import shortened
from pipelines.winner.candidates import Candidate
from pipelines.winner.trained import Trained
from pipelines.winner.training import all_but_test, train_again, unused_seeds
from trainables.baselines import arguments_of, baselines
from trainables.data.datasets import TestData, TrialData

if TYPE_CHECKING:
    from torch import Tensor, nn

_MOST_POINTS = 2000  # of a regression's predictions that the record keeps


def check_first_look(run: Run, *, again: bool) -> None:
    """Raises ``ValueError`` if the test set has been looked at before, unless ``again`` is set, and
    if the look could not be recorded."""
    if run.looks and not again:
        times = "once" if len(run.looks) == 1 else f"{len(run.looks)} times"
        raise ValueError(
            f"{run.files.folder} has looked at its test set {times}: if you choose by what another "
            "look shows, you tune on the test set; `again` looks once more, and counts the look"
        )
    check_writable(run.files.folder)


def evaluate(
    run: Run,
    candidates: Sequence[Candidate],
    n_seeds: int,
    done: Callable[[int], None] = lambda n: None,
    among: int = 1,
    *,
    again: bool = False,
) -> Look:
    """Train each of ``candidates`` on the connected cluster, with ``n_seeds`` seeds that the search
    has not used. Then read the test rows once, also for quick models that are fitted on the same
    samples. Several candidates are an ensemble, the weighted mean of their predictions; ``among``
    is the number of candidates that they were selected from. The look is recorded.

    Raises ``ValueError`` as :func:`check_first_look` does, if the data have changed, if a training
    fails, or if with every seed some training diverges.
    """
    data = all_but_test(run)
    repeated = train_again(run, data, candidates, unused_seeds(run, n_seeds), done)
    return _looked(
        run,
        data,
        repeated.candidates,
        list(repeated.networks.values()),
        repeated.unsound,
        among=among,
        again=again,
        seeds=repeated.seeds,
        diverged=repeated.diverged,
    )


def evaluate_kept(run: Run, trained: Trained, *, again: bool = False) -> Look:
    """Read the test rows once, with the weights that the search kept of its winner: see
    :func:`pipelines.winner.trained.trained_alone`. The look is recorded."""
    (candidate,) = trained.candidates
    seeds = (candidate.trial.seed,)
    networks = [[trained.model]]
    return _looked(
        run, trained.data, trained.candidates, networks, again=again, seeds=seeds, kept=True
    )


def _looked(
    run: Run,
    data: TrialData,
    taken: Sequence[Candidate],
    ensembles: Sequence[Sequence[nn.Module]],
    unsound: tuple[int, ...] = (),
    *,
    again: bool,
    **more: Any,
) -> Look:
    if own := run.spec.problem.trainable:
        check_network(ensembles[0][0], data, own)
    numbers, weights = tuple(c.number for c in taken), [c.weight for c in taken]
    with looking(run.files):
        # Another evaluation may have begun, and read the test set, since the first check.
        check_first_look(open_run(run.files.folder), again=again)
        look = Look(
            when=round(time.time(), 3),
            trials=numbers,
            trial_ids=tuple(run.finished[n].trial_id for n in (*numbers, *unsound)),
            configs=tuple(dict(c.trial.config) for c in taken),
            epochs=tuple(c.epochs for c in taken),
            weights=tuple(weights),
            unsound=unsound,
            trained_on=len(data.x_train),
            **more,
            **_judged(data, load_test_rows(run.spec), ensembles, weights),
        )
        add_look(run.files.looks, look)
    return look


def check_network(network: nn.Module, data: TrialData, name: str) -> None:
    """Raises ``ValueError`` if the network of a user's own function ``name`` does not take inputs
    as ``data`` has them, or if its outputs have another shape than a score needs."""
    from trainables.training.batches import outputs_of

    inputs = data.x_train[:2]
    try:
        outputs = outputs_of(network.eval(), inputs)
    except Exception as error:  # it is the user's code
        raise ValueError(
            f"the network that {name} yields does not take inputs of the shape {inputs.shape}, as "
            f"`data.x_train` has them: {shortened(str(error))}"
        ) from None
    expected = (len(inputs), data.n_classes if data.task == "classification" else 1)
    if tuple(outputs.shape) != expected:
        raise ValueError(
            f"the network that {name} yields has outputs of the shape {tuple(outputs.shape)} for "
            f"{len(inputs)} samples, not {expected}"
        )


def _judged(
    data: TrialData,
    test: TestData,
    ensembles: Sequence[Sequence[nn.Module]],
    weights: Sequence[int],
) -> dict[str, Any]:
    import torch

    from trainables.networks.ensemble import Ensemble, mean_prediction
    from trainables.training.batches import outputs_of
    from trainables.training.objective import objective_of
    from trainables.training.predictions import Predictions

    objective, y = objective_of(data), torch.from_numpy(test.y)
    networks = [m[0] if len(m) == 1 else Ensemble(m, data.task, weights) for m in ensembles]
    outputs = [outputs_of(network.eval(), test.x) for network in networks]
    mean = mean_prediction(outputs, data.task)

    def scores(output: Tensor) -> dict[str, float]:
        found = objective.judge(output, y)
        values = {f"test_{name}": found.values[name] for name in objective.measures}
        return {**values, "test_loss": found.loss}

    alone, together = [scores(output) for output in outputs], scores(mean)
    arrays = {"x_train": data.x_train, "y_train": data.y_train, "x_val": test.x, "y_val": test.y}
    found: dict[str, Any] = {
        "baselines": {
            model: {n.replace("val_", "test_"): float(v) for n, v in metrics.items()}
            for model, metrics in baselines(arrays, **arguments_of(data))
            if metrics
        },
        "samples": len(test.x),
        "values": {name: [found[name] for found in alone] for name in together},
        "together": together,
    }
    if data.task == "classification":
        counts = torch.stack([Predictions(output, y).confusion for output in outputs])
        return {**found, "confusion": counts.mean(0).tolist()}
    pairs = np.stack([test.y, mean.squeeze(1).numpy()], 1)[:_MOST_POINTS].astype(float)
    return {**found, "predicted": _in_own_units(pairs, data.target_std, data.target_mean)}


def _in_own_units(standardised: np.ndarray, std: float, mean: float) -> list[list[float]]:
    """Targets and predictions in the target's units, rounded to about a millionth of ``std``."""
    digits = 6 - math.floor(math.log10(std))
    pairs = standardised * std + mean
    return [[round(value, digits) for value in pair] for pair in pairs.tolist()]
