"""The network of a run to export: as the search kept it, trained again, or several networks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cluster.sharing import no_cuda_on
from pipelines.record.trials import FinishedTrial, best_trial
from pipelines.record.weights import are_of
from pipelines.study.repeats import repeats_of
from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate, check_by_itself, winner
from pipelines.winner.one_training import Training, train_here
from pipelines.winner.planned import planned_at
from pipelines.winner.settings import Chosen
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
from trainables.training.metrics import METRICS

if TYPE_CHECKING:
    import torch
    from torch import nn

_TRAIN, _ALL = "train", "train and validation"


@dataclass(frozen=True)
class Trained:
    """A network, the data that it was trained on, and where its weights come from."""

    model: nn.Module
    data: TrialData
    trained_on: str
    candidates: tuple[Candidate, ...]
    """For one network as in the search, the candidate has the training of these weights."""
    seeds: tuple[int, ...] = ()  # each candidate has a network for each; empty for one network

    @property
    def as_searched(self) -> bool:
        """Whether it is one network, trained on the same samples as in the search."""
        return self.trained_on == _TRAIN


def trained_together(
    run: Run,
    candidates: Sequence[Candidate],
    n_seeds: int,
    done: Callable[[int], None] = lambda n: None,
) -> Trained:
    """The networks that ``evaluate.py`` tests, as one network: each of ``candidates`` trained with
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


def trained_alone(run: Run, candidate: Candidate) -> Trained:
    """The network of ``candidate``: for the winner, with the weights that the run has kept.

    Weights of other trials are not kept: such a trial is trained again here, as in the search.
    After cross-validation there is a network for each fold, each with its own encoding: the config
    is trained again on train and validation together.

    Raises ``ValueError`` if the data have changed, if the kept file is damaged or of another
    network, or if the trial has to be trained again and cannot be, or diverges.
    """
    kept = _read_kept(run, candidate)
    if kept is None:
        check_by_itself(run, candidate.number, candidate.trial)
    trainable, spec = trainable_of(run), run.spec
    set_threads(spec.resources.trial.cpus)
    if spec.problem.folds:
        data = all_but_test(run)
        training = training_of(run, candidate, spec.search.seed)
        model = _sound(train_here(trainable, data, training, _device(run)))
        return Trained(model, data, _ALL, (candidate,))
    (data,) = search_data(run)
    if kept is None:
        training = _of_the_search(run, candidate.trial)
        model = _sound(train_here(trainable, data, training, _device(run)))
    else:
        state, trial = kept
        candidate = replace(candidate, trial=trial)
        model = _built(trainable, _of_the_search(run, trial), data)
        try:
            model.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"{run.files.weights_of(trial)} does not fit the network; another version may have "
                f"written it: remove it, and trial {candidate.number} is trained again: {error}"
            ) from None
        model.eval()
    return Trained(model, data, _TRAIN, (candidate,))


def _device(run: Run) -> torch.device:
    """The device to train on here. Says so if the search asked for a GPU, and none works here."""
    gpus = run.spec.resources.trial.gpus
    device = pick_device(gpus)
    if gpus and device.type == "cpu":
        print(f"warning   {no_cuda_on('this machine')}", file=sys.stderr, flush=True)
    return device


def _of_the_search(run: Run, trial: FinishedTrial) -> Training:
    """The training of ``trial`` as it was in the search, up to its best epoch."""
    epochs = trial.best_epoch or 1
    planned, needed = planned_at(run, trial, epochs), run.goals.reported
    return Training(trial.config, epochs, planned, trial.seed, needed=needed)


def kept_of(run: Run, candidate: Candidate) -> tuple[Path, FinishedTrial] | None:
    """The file of the winner's weights, and the training that they come from. None if they are not
    kept as one network: for another trial, and after cross-validation. After repeats, they are
    those of the winner's best repeat. None too if the weights that lie there are not the
    winner's.

    Raises ``ValueError`` if it cannot be read whose they are.
    """
    if run.spec.problem.folds or candidate.number != winner(run).number:
        return None
    trial_id = run.finished[candidate.number].trial_id
    trial = run.best
    if trial_id in [repeats.trial_id for repeats in repeats_of(run)]:
        again = [t for t in run.repeated if t.repeat_of == trial_id]
        trial = best_trial(again, METRICS[run.metric])
    if trial is None:
        return None
    weights = run.files.weights_of(trial)
    return (weights, trial) if weights.is_file() and are_of(trial, weights) else None


def _read_kept(run: Run, candidate: Candidate) -> tuple[Mapping[str, Any], FinishedTrial] | None:
    """The content of the file that :func:`kept_of` finds, and the training that it comes from.

    Raises ``ValueError`` if the file is damaged.
    """
    import torch

    kept = kept_of(run, candidate)
    if kept is None:
        return None
    weights, trial = kept
    try:
        state = torch.load(weights, weights_only=True)
    except OSError:
        raise
    except Exception:  # torch raises a dozen types on a damaged file
        damaged, number = f"{weights} is damaged", candidate.number
        check_by_itself(run, number, candidate.trial, f"; {damaged}")
        raise ValueError(f"{damaged}: remove it, and trial {number} is trained again") from None
    # A search that goes on may have kept another trial since: it writes the note first.
    return (state, trial) if are_of(trial, weights) else None


def check_again(run: Run, settings: Chosen, candidates: Sequence[Candidate]) -> None:
    """Raises ``ValueError`` if one of ``candidates`` cannot be trained again by itself."""
    alone = settings.ensemble is None and kept_of(run, candidates[0]) is not None
    hint = "; leave out `seeds` to take the weights that the search kept" if alone else ""
    for candidate in candidates:
        check_by_itself(run, candidate.number, candidate.trial, hint)


def _sound(model: nn.Module | None) -> nn.Module:
    if model is None:
        raise ValueError("the training diverged: choose another `trial`")
    return model


def _built(trainable: Any, training: Training, data: TrialData) -> nn.Module:
    """The network of ``training``, with any weights."""
    import torch

    if isinstance(trainable, Network):
        _, model = trainable.build(training.config, data)
        return model
    # Only the function knows its network: the first epoch yields it.
    return _sound(train_here(trainable, data, replace(training, epochs=1), torch.device("cpu")))
