"""The rules of the ledger, what it is told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.record.goals import Aim, Requirement
from pipelines.record.trials import FinishedTrial
from pipelines.tuner.ledger.progress import Incumbent
from search_spaces import Config


@dataclass(frozen=True)
class Rules:
    """The rules that the ledger follows."""

    metric: str  # a name in METRICS
    trials: int  # number of trials asked for
    max_failures: int = 0  # how often a failed trial is tried again
    trial_timeout: float | None = None  # seconds without an epoch; None: by the longest epoch
    time_budget: float | None = None  # seconds
    target_value: float | None = None
    chance_loss: float | None = None  # loss of a model that has learnt nothing, if known
    best_before: float | None = None  # best value of the history, which a new best must beat
    keep: int = 0  # for how many of the best trials the state is kept, to train on from
    saves_last: bool = False  # save running trials before the study ends, to resume them
    also: tuple[Aim, ...] = ()  # further objectives, which decide between equal values
    requirements: tuple[Requirement, ...] = ()  # a trial that breaks one is never the best
    size: Callable[[Config], int] | None = None  # of a config's network, if it is needed


@dataclass(frozen=True)
class Report:
    """What a trial reports about an epoch; every number is finite."""

    epoch: int  # counted from 1
    value: float  # the metric searched for; its worst score if diverged
    metrics: Mapping[str, float]  # all metrics
    diverged: bool = False
    has_weights: bool = False  # there is a model to save
    has_state: bool = False  # the training can go on from a checkpoint
    last: bool = False  # the last epoch of the trial
    node: str = ""  # the address of its machine
    leaving: bool = False  # the machine is about to be taken away


@dataclass(frozen=True)
class Decision:
    """What follows from a report."""

    save: bool = False
    new_best: Incumbent | None = None
    hopeless: bool = False  # whatever it reaches, the trial will break a requirement


@dataclass(frozen=True)
class Ended:
    """The end of a trial.

    ``keep_weights`` says whether its weights are now the ones to keep for its group: all trials, or
    all repeats of one config. ``keep_state`` says whether it may be trained on, and ``drop_states``
    names the trials whose state is then no longer needed.
    """

    trial: FinishedTrial
    keep_weights: bool = False
    keep_state: bool = False
    drop_states: tuple[FinishedTrial, ...] = ()
