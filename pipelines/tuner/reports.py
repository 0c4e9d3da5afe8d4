"""What the ledger goes by, what it is told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.record.goals import Aim, Requirement
from pipelines.record.trials import FinishedTrial
from pipelines.tuner.progress import Incumbent
from search_spaces import Config


@dataclass(frozen=True)
class Rules:
    """What the ledger goes by."""

    metric: str  # a name in METRICS
    trials: int  # that are asked for
    max_failures: int = 0  # times that a trial which fails is tried again
    trial_timeout: float | None = None  # seconds without an epoch; None: as the others' epochs say
    time_budget: float | None = None  # seconds
    target_value: float | None = None
    chance_loss: float | None = None  # of a model that has learnt nothing, where it is known
    best_before: float | None = None  # of the history: what is no better is no new best
    keep: int = 0  # of how many of the best trials the state is kept, to be trained on
    saves_last: bool = False  # trials that run when the study is to end, to go on from there
    also: tuple[Aim, ...] = ()  # further objectives: they decide where values are equal
    requirements: tuple[Requirement, ...] = ()  # what breaks one is never the best
    size: Callable[[Config], int] | None = None  # of a config's network, where somebody asks


@dataclass(frozen=True)
class Report:
    """What a trial says of an epoch; every number is finite."""

    epoch: int  # counted from 1
    value: float  # the metric searched for; of a diverged trial its worst score
    metrics: Mapping[str, float]  # all of them
    diverged: bool = False
    has_weights: bool = False  # there is a model to save
    has_state: bool = False  # the training can go on from a checkpoint
    last: bool = False  # no epoch comes after it
    node: str = ""  # the address of its machine
    leaving: bool = False  # which is about to be taken away


@dataclass(frozen=True)
class Decision:
    """What follows from a report."""

    save: bool = False
    new_best: Incumbent | None = None
    hopeless: bool = False  # whatever it reaches, the trial will break a requirement


@dataclass(frozen=True)
class Ended:
    """The end of a trial, and whether its weights are those to keep of its group: of all trials, or
    of all repeats of one config. ``keep_state`` where it may be trained on, and of which trials the
    state is then wanted no more."""

    trial: FinishedTrial
    keep_weights: bool = False
    keep_state: bool = False
    drop_states: tuple[FinishedTrial, ...] = ()
