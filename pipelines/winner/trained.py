"""The network of a run that is exported: as the search kept it, or trained again, or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate, winner
from pipelines.winner.one_training import Training, train_here
from pipelines.winner.training import (
    all_but_test,
    search_data,
    train_again,
    trainable_of,
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
    max_epochs, device = spec.budget.max_epochs, pick_device(spec.resources.trial.gpus)
    candidate = chosen or winner(run)
    config = candidate.trial.config
    if spec.problem.folds:
        data = all_but_test(run)
        training = Training(config, candidate.epochs, max_epochs, spec.search.seed)
        model = _sound(train_here(trainable, data, training, device))
        return Trained(model, data, _ALL, (candidate,))
    (data,) = search_data(run)
    if chosen is None and run.files.weights.is_file():
        return Trained(_with_weights(run, trainable, config, data), data, "train", (candidate,))
    epochs = candidate.trial.best_epoch or 1
    training = Training(config, epochs, max_epochs, candidate.trial.seed)
    model = _sound(train_here(trainable, data, training, device))
    return Trained(model, data, "train", (candidate,))


def _sound(model: nn.Module | None) -> nn.Module:
    if model is None:
        raise ValueError("the training diverged: choose another `trial`")
    return model


def _with_weights(run: Run, trainable: Any, config: Any, data: TrialData) -> nn.Module:
    import torch

    if isinstance(trainable, Network):
        _, model = trainable.build(config, data)
    else:  # the function alone knows what its network is: its first epoch has one
        once = Training(config, 1, run.spec.budget.max_epochs, run.spec.search.seed)
        model = _sound(train_here(trainable, data, once, torch.device("cpu")))
    try:
        model.load_state_dict(torch.load(run.files.weights, weights_only=True))
    except RuntimeError as error:
        raise ValueError(f"{run.files.weights} does not fit the network: {error}") from None
    return model.eval()
