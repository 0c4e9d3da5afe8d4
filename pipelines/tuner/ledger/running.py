"""What is known about a running trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.attempts import Attempt
from pipelines.tuner.ledger.progress import Incumbent
from search_spaces import Config
from trainables.training.clues import clue

_DIGITS = 6  # significant digits of the numbers in a curve


@dataclass
class Reached:
    """What a trial has reached, up to an epoch."""

    curve: dict[int, float] = field(default_factory=dict)
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    short: dict[int, Mapping[str, float | None]] = field(default_factory=dict)  # `metrics`, rounded
    best: Incumbent | None = None
    fits: bool = False  # whether `best` breaks no requirement
    changes: dict[int, Config] = field(default_factory=dict)

    def copy(self) -> Reached:
        """A copy that later epochs do not change."""
        return Reached(
            dict(self.curve),
            dict(self.metrics),
            dict(self.short),
            self.best,
            self.fits,
            dict(self.changes),
        )

    def note(self, epoch: int, value: float, metrics: Mapping[str, float]) -> None:
        self.curve[epoch], self.metrics[epoch] = value, metrics
        self.short[epoch] = {name: shortened(number) for name, number in metrics.items()}


@dataclass
class Running:
    attempt: Attempt
    config: Config
    started: float
    started_at: float  # seconds since 1970
    saved_at: float
    gpus: float = 0.0
    reached: Reached = field(default_factory=Reached)
    saved: Reached = field(default_factory=Reached)  # at the last checkpoint
    nodes: list[str] = field(default_factory=list)
    stopped_by: str = ""
    resumed: int = 0
    planned: Mapping[int, int] = field(default_factory=dict)
    has_state: bool = False
    n_parameters: int | None = None

    def as_trial(
        self, state: State, *, seconds: float, clue: str, broken: str, error: str
    ) -> FinishedTrial:
        """The trial as it is recorded."""
        reached, attempt = self.reached, self.attempt
        best = reached.best
        return FinishedTrial(
            trial_id=attempt.trial_id,
            config=self.config,
            state=state,
            curve=reached.curve,
            value=best.value if best else None,
            best_epoch=best.epoch if best else None,
            stopped_by=self.stopped_by,
            metrics=reached.metrics[best.epoch] if best else {},
            curves=curves_of(reached.short),
            seed=attempt.seed,
            repeat_of=attempt.repeat_of,
            started=self.started_at,
            seconds=seconds,
            node=" ".join(self.nodes),
            gpus=self.gpus,
            error=error,
            machines_lost=attempt.machines_lost,
            failures=attempt.failures,
            processes_lost=attempt.processes_lost,
            out_of_memory=attempt.out_of_memory,
            clue=clue,
            changes=reached.changes,
            resumed=self.resumed,
            planned=self.planned,
            n_parameters=self.n_parameters,
            broken=broken,
        )

    def clue(self, chance_loss: float | None) -> str:
        """What the curves of both losses tell; "" if they were not reported."""
        reported = [metrics for _, metrics in sorted(self.reached.metrics.items())]
        train = [m["train_loss"] for m in reported if "train_loss" in m]
        val = [m["val_loss"] for m in reported if "val_loss" in m]
        if not train or not len(train) == len(val) == len(reported):
            return ""
        diverged = self.stopped_by == "divergence"
        found = clue(train, val, chance_loss=chance_loss, diverged=diverged)
        return found.kind if found else ""


def curves_of(
    metrics: Mapping[int, Mapping[str, float | None]],
) -> dict[str, tuple[float | None, ...]]:
    """For each metric, one number per epoch; None for an epoch that did not report it."""
    names = dict.fromkeys(name for reported in metrics.values() for name in reported)
    epochs = sorted(metrics)
    return {name: tuple(metrics[epoch].get(name) for epoch in epochs) for name in names}


def shortened(value: float | None) -> float | None:
    """``value``, rounded as in a curve."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")
