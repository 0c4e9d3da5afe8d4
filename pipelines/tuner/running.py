"""What is known of a trial that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.tuner.attempts import Attempt
from pipelines.tuner.progress import Incumbent
from search_spaces import Config

_DIGITS = 6  # of what a curve keeps of a number


@dataclass
class Reached:
    """What a trial has reached, up to an epoch."""

    curve: dict[int, float] = field(default_factory=dict)
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    short: dict[int, Mapping[str, float | None]] = field(default_factory=dict)  # for its curves
    best: Incumbent | None = None
    fits: bool = False  # whether that breaks no requirement
    changes: dict[int, Config] = field(default_factory=dict)

    def copy(self) -> Reached:
        """What is noted later is not in it."""
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
    started_at: float  # by the clock on the wall
    saved_at: float
    heard_at: float
    gpus: float = 0.0
    reached: Reached = field(default_factory=Reached)
    saved: Reached = field(default_factory=Reached)  # at the last checkpoint
    nodes: list[str] = field(default_factory=list)
    stopped_by: str = ""
    resumed: int = 0
    planned: Mapping[int, int] = field(default_factory=dict)
    has_state: bool = False
    n_parameters: int | None = None


def curves_of(
    metrics: Mapping[int, Mapping[str, float | None]],
) -> dict[str, tuple[float | None, ...]]:
    """By metric, a number for each epoch; None where it was not reported in one."""
    names = dict.fromkeys(name for reported in metrics.values() for name in reported)
    epochs = sorted(metrics)
    return {name: tuple(metrics[epoch].get(name) for epoch in epochs) for name in names}


def shortened(value: float | None) -> float | None:
    """As curves keep it."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")
