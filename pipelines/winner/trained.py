"""The network of a run that is exported: as the search kept it, or trained again, or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate, winner
from pipelines.winner.one_training import Training, train_here
from pipelines.winner.planned import planned_at
from pipelines.winner.training import (
    all_but_test,
    search_data,
    train_again,
    trainable_of,
    training_of,
    unused_seeds,
)
from trainables.data.datasets import TrialData
from trainables.device.share import pick_device, set_threads
from trainables.networks import Network

if TYPE_CHECKING:
    from torch import nn

_ALL = "train and validation"


@dataclass(frozen=True)
class Trained:
    """A network, the data that it was trained on, and where its weights come from."""

    model: nn.Module
    data: TrialData
    trained_on: str
    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...] = ()  # each candidate has a network for each; none: as in the search


def trained_together(
    run: Run,
    candidates: Sequence[Candidate],
    n_seeds: int,
    done: Callable[[int], None] = lambda n: None,
) -> Trained:
    """The networks that ``evaluate.py`` tests, as one: each of ``candidates`` trained with
    ``n_seeds`` seeds on train and validation, on the connected cluster.

    Raises what :func:`train_again` raises.
    """
    from trainables.networks.ensemble import Ensemble

    data = all_but_test(run)
    repeated = train_again(run, data, candidates, unused_seeds(run, n_seeds), done)
    networks = [network for ensemble in repeated.networks.values() for network in ensemble]
    weights = [c.weight for c in repeated.candidates] * len(repeated.seeds)
    model = networks[0] if len(networks) == 1 else Ensemble(networks, data.task, weights).eval()
    return Trained(model, data, _ALL, repeated.candidates, repeated.seeds)


def trained_alone(run: Run, chosen: Candidate | None = None) -> Trained:
    """The network of the winner, whose weights the run has kept, or of ``chosen``.

    Weights of another trial are not kept: it is trained again here, as in the search. After
    cross-validation there is one for each fold, with an encoding of its own: the config is trained
    on all of them together.
    """
    trainable, spec = trainable_of(run), run.spec
    set_threads(spec.resources.trial.cpus)
    device = pick_device(spec.resources.trial.gpus)
    candidate = chosen or winner(run)
    if spec.problem.folds:
        data = all_but_test(run)
        training = training_of(run, candidate, spec.search.seed)
        model = _sound(train_here(trainable, data, training, device))
        return Trained(model, data, _ALL, (candidate,))
    (data,) = search_data(run)
    training = _of_the_search(run, candidate)
    weights = _kept(run, candidate) if chosen is None else None
    if weights is not None:
        model = _with_weights(weights, trainable, training, data)
    else:
        model = _sound(train_here(trainable, data, training, device))
    return Trained(model, data, "train", (candidate,))


def _of_the_search(run: Run, candidate: Candidate) -> Training:
    """The trial as it was, up to its best epoch."""
    trial = candidate.trial
    epochs = trial.best_epoch or 1
    return Training(trial.config, epochs, planned_at(run, trial, epochs), trial.seed)


def _kept(run: Run, candidate: Candidate) -> Path | None:
    """Where the weights of the winner lie; None where they are not kept. After repeats those of its
    best one count: a search that has gone on since has put its own best in their place."""
    files, trial_id = run.files, candidate.trial.trial_id
    repeated = files.repeated_weights / f"{trial_id}.pt"
    if repeated.is_file():
        return repeated
    is_best = run.best is not None and run.best.trial_id == trial_id
    return files.weights if is_best and files.weights.is_file() else None


def _sound(model: nn.Module | None) -> nn.Module:
    if model is None:
        raise ValueError("the training diverged: choose another `trial`")
    return model


def _with_weights(weights: Path, trainable: Any, training: Training, data: TrialData) -> nn.Module:
    import torch

    if isinstance(trainable, Network):
        _, model = trainable.build(training.config, data)
    else:  # the function alone knows what its network is: its first epoch has one
        once = replace(training, epochs=1)
        model = _sound(train_here(trainable, data, once, torch.device("cpu")))
    try:
        model.load_state_dict(torch.load(weights, weights_only=True))
    except RuntimeError as error:
        raise ValueError(f"{weights} does not fit the network: {error}") from None
    return model.eval()
