"""The looks at the test set that a run has had, each with what it showed: ``evaluation.json``."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.record.baselines import Baselines
from pipelines.record.header import read_json
from pipelines.record.whole import write_whole
from search_spaces import Config


@dataclass(frozen=True)
class Look:
    """A model, or an ensemble of several, trained with some seeds, on the test rows."""

    when: float  # seconds since 1970
    trials: tuple[int, ...]  # their places among the run's trials, from 0
    configs: tuple[Config, ...]
    epochs: tuple[int, ...]  # of each config
    seeds: tuple[int, ...]  # that each config was trained with
    trained_on: int  # samples
    samples: int  # of the test set
    values: Mapping[str, Sequence[float]]  # by metric, test_accuracy: one for each seed
    confusion: Sequence[Sequence[float]] = ()
    """Of a classification: samples of each class (row) taken for each class, mean over seeds."""
    predicted: Sequence[tuple[float, float]] = ()
    """Of a regression: targets and predictions, mean over seeds, in the target's own units."""
    together: Mapping[str, float] = field(default_factory=dict)
    """The same metrics of the mean prediction of all networks, of each config and seed."""
    baselines: Baselines = field(default_factory=dict)
    """What quick models score there that were fitted on the same samples."""
    weights: tuple[int, ...] = ()
    """Of each config in their mean prediction; none where all count the same."""
    diverged: tuple[int, ...] = ()
    """Seeds with which a training diverged: left out."""
    unsound: tuple[int, ...] = ()
    """Trials of which a training diverged: left out of the ensemble."""
    among: int | None = None
    """The ensemble was selected among so many best configs; None where all were taken."""

    @property
    def members(self) -> dict[int, int]:
        """Each trial's weight in the mean prediction."""
        return dict(zip(self.trials, self.weights or [1] * len(self.trials), strict=True))

    @property
    def n_networks(self) -> int:
        return len(self.configs) * len(self.seeds)

    @property
    def left_out(self) -> str:
        """In words, which trials or seeds are; empty where none is."""
        numbers = self.unsound or self.diverged
        if not numbers:
            return ""
        one = "of trial" if self.unsound else "with seed"
        which = f"{one}{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"
        return f"a training {which} diverged: left out"

    def searched(self, metric: str) -> str:
        """The name here of ``metric``, a search's; of another where it was not measured."""
        name = f"test_{metric.removeprefix('val_')}"
        return name if name in self.values else next(iter(self.values))

    def mean(self, metric: str) -> float:
        return statistics.fmean(self.values[metric])

    def deviation(self, metric: str) -> float | None:
        """The sample standard deviation over the seeds; None for a single one."""
        values = self.values[metric]
        return statistics.stdev(values) if len(values) > 1 else None

    def told(self, metric: str) -> str:
        """As 0.9694 +- 0.0031."""
        deviation = self.deviation(metric)
        return f"{self.mean(metric):.4f}" + ("" if deviation is None else f" +- {deviation:.4f}")


def read_looks(path: Path) -> list[Look]:
    """In the order in which they were taken; none where there is no such file.

    Raises ``ValueError`` for a file that is not what :func:`add_look` wrote.
    """
    if not path.is_file():
        return []
    try:
        return [Look(**_frozen(look)) for look in read_json(path)["looks"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _frozen(value: Any) -> Any:
    """With tuples for lists."""
    if isinstance(value, list):
        return tuple(_frozen(entry) for entry in value)
    return {k: _frozen(v) for k, v in value.items()} if isinstance(value, dict) else value


def add_look(path: Path, look: Look) -> int:
    """Add a look to those in ``path``, whole or not at all; how many there are then."""
    looks = [*read_looks(path), look]
    write_whole(path, json.dumps({"looks": [asdict(look) for look in looks]}, indent=1) + "\n")
    return len(looks)
