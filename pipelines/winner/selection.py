"""Which of a run's best configs form an ensemble: selected by the loss on validation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate
from pipelines.winner.training import search_data, train_all, training_of
from trainables.data.datasets import TrialData

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Selection:
    """The candidates that were selected, best first, each with its weight."""

    candidates: tuple[Candidate, ...]
    loss: float  # of their mean prediction on validation
    loss_alone: float  # the lowest loss of a single candidate


def selected(
    run: Run, candidates: Sequence[Candidate], done: Callable[[int], None] = lambda n: None
) -> Selection:
    """Train each of ``candidates`` once more as in the search, on the connected cluster, and select
    among them by their predictions for the validation rows. After cross-validation each is trained
    once for each fold, and its predictions for all folds count. A candidate that diverges is left
    out. ``done`` is told how many trainings are done.

    Raises ``ValueError`` if the data have changed, if a training fails, or if all candidates
    diverge.
    """
    import torch

    from trainables.networks.ensemble import mean_prediction, select
    from trainables.training.objective import objective_of

    folds = search_data(run)
    outputs = _predicted(run, folds, candidates, done)
    if not outputs:
        raise ValueError("all trainings for the ensemble diverged: choose a `trial`")
    task, objective = folds[0].task, objective_of(folds[0])
    targets = torch.cat([torch.from_numpy(data.y_val) for data in folds])

    def loss(prediction: Tensor) -> float:
        return float(objective.loss(prediction, targets))

    counts = dict(zip(outputs, select(list(outputs.values()), task, loss), strict=True))
    taken = {place: count for place, count in counts.items() if count}
    mean = mean_prediction([outputs[place] for place in taken], task, list(taken.values()))
    return Selection(
        tuple(replace(candidates[place], weight=count) for place, count in taken.items()),
        loss(mean),
        min(map(loss, outputs.values())),
    )


def _predicted(
    run: Run,
    folds: Sequence[TrialData],
    candidates: Sequence[Candidate],
    done: Callable[[int], None],
) -> dict[int, Tensor]:
    """The outputs (n, n_outputs) for the validation rows of all ``folds``, by place in
    ``candidates``."""
    import torch

    from trainables.training.batches import outputs_of

    trainings = [training_of(run, candidate, candidate.trial.seed) for candidate in candidates]
    parts: defaultdict[int, list[Tensor]] = defaultdict(list)
    for k, data in enumerate(folds):
        models = train_all(run, data, trainings, partial(_told, done, k * len(trainings)))
        for place, model in enumerate(models):
            if model is not None:
                parts[place].append(outputs_of(model, data.x_val))
    return {p: torch.cat(found) for p, found in sorted(parts.items()) if len(found) == len(folds)}


def _told(done: Callable[[int], None], before: int, n: int) -> None:
    done(before + n)
