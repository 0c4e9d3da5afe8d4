"""What a trial tells the driver: its epochs, and the keys of its results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.tuner.trial_settings import TrialSettings
from trainables.training.metrics import METRICS
from trainables.training.trainable import Metrics, has_diverged, number

REPORTS = "reports"  # the epochs since the last result
FINISHED = "finished"  # the trainable ended by itself; Ray's own "done" is also set by schedulers
HAS_WEIGHTS = "has_weights"
HAS_STATE = "has_state"  # the training can go on from a checkpoint
PRINTED = "printed"  # what the trainable has printed since the last result, if anything
NOTICE = "notice"  # the trial's machine is about to be taken away
NO_CUDA = "no_cuda"  # the trial has a share of a GPU, but CUDA does not work on its machine


@dataclass(frozen=True)
class EpochReport:
    """What a trial reports about an epoch: finite numbers only."""

    epoch: int
    value: float  # the metric searched for
    metrics: Mapping[str, float]  # all that the trainable reported
    diverged: bool = False


def report(metrics: Metrics, epoch: int, settings: TrialSettings) -> EpochReport:
    """What the driver is told about an epoch.

    The trial counts as diverged, with the metric's worst score, if a needed metric is not finite,
    or if the trainable itself says so under "diverged". What the trainable says under "epoch" is
    ignored: each yield is one epoch.

    Raises ``ValueError`` if a needed metric is missing, ``TypeError`` if a metric is not a number.
    """
    said = bool(metrics.get("diverged", False))
    for name in (settings.metric, *(() if said else settings.also)):
        if name not in metrics:
            option = "metric" if name == settings.metric else "also` or `require"
            raise ValueError(
                f"the trainable yields no '{name}', but `{option}` asks for it: "
                f"it yields {', '.join(metrics) or 'nothing'}"
            )
    numbers = {name: number(name, value) for name, value in metrics.items()}
    finite = {k: v for k, v in numbers.items() if math.isfinite(v)}
    diverged = has_diverged(metrics, (settings.metric, *settings.also))
    if diverged:
        worst = settings.worst
        finite[settings.metric] = METRICS[settings.metric].worst if worst is None else worst
    return EpochReport(
        epoch=epoch,
        value=finite[settings.metric],
        metrics={k: v for k, v in finite.items() if k not in ("epoch", "diverged")},
        diverged=diverged,
    )


def epoch_line(trial_id: str, found: EpochReport, max_epochs: int) -> str:
    """A line for the log of the training process, which Ray's dashboard shows."""
    numbers = " ".join(f"{name}={value:.6g}" for name, value in found.metrics.items())
    end = " diverged" if found.diverged else ""
    return f"trial {trial_id} epoch {found.epoch} of {max_epochs} {numbers}{end}"
