"""The looks at the test set of a run, each with its results: ``evaluation.json``."""

from __future__ import annotations

import fcntl
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.record.baselines import Baselines
from pipelines.record.checks import check, fields_of
from pipelines.record.files import RunFiles
from pipelines.record.header import read_json
from pipelines.record.patience import patient
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.record.whole import write_whole
from search_spaces import Config


@dataclass(frozen=True)
class Look:
    """A model, or an ensemble of several, trained with some seeds and scored on the test rows."""

    when: float  # seconds since 1970
    # Their places among the run's trials, from 0: at the time in the file, current in Run.looks.
    trials: tuple[int, ...]
    configs: tuple[Config, ...]
    epochs: tuple[int, ...]  # of each config
    seeds: tuple[int, ...]  # that each config was trained with
    trained_on: int  # samples
    samples: int  # of the test set
    values: Mapping[str, Sequence[float]]  # by metric, such as test_accuracy: one value per seed
    confusion: Sequence[Sequence[float]] = ()
    """For classification: samples of each class (row) by predicted class, mean over seeds."""
    predicted: Sequence[tuple[float, float]] = ()
    """For regression: targets and predictions, mean over seeds, in the target's own units."""
    together: Mapping[str, float] = field(default_factory=dict)
    """The same metrics of the mean prediction of all networks, over all configs and seeds."""
    baselines: Baselines = field(default_factory=dict)
    """The test scores of quick models that were fitted on the same samples."""
    weights: tuple[int, ...] = ()
    """The weight of each config in the mean prediction; empty if all weights are equal."""
    diverged: tuple[int, ...] = ()
    """Seeds whose training diverged: they are left out."""
    unsound: tuple[int, ...] = ()
    """Trials with a training that diverged: they are left out of the ensemble."""
    among: int | None = None
    """From how many best configs the ensemble was selected; None if all were taken."""
    kept: bool = False
    """Whether the weights are those that the search kept, so that nothing was trained again."""
    trial_ids: tuple[str, ...] = ()
    """The ids of ``trials`` and then of ``unsound``; empty if an older version wrote the record."""

    def __repr__(self) -> str:
        """In a notebook, all predictions would hide the scores."""
        scores = ", ".join(f"{metric} {self.told(metric)}" for metric in self.values)
        of = f"trials={self.trials}, seeds={self.seeds}, samples={self.samples}"
        return f"Look({of}: {scores})"

    def as_numbered(self, finished: Sequence[FinishedTrial]) -> Look:
        """The look with the current places of its trials among ``finished``, the run's trials now.
        After a search was resumed, the places may be different."""
        now = self._places(finished)
        return replace(
            self,
            trials=tuple(now.get(number, number) for number in self.trials),
            unsound=tuple(now.get(number, number) for number in self.unsound),
        )

    def _places(self, finished: Sequence[FinishedTrial]) -> dict[int, int]:
        """Current places by old numbers. Without ids, a trial is recognised by its config."""
        if not self.trial_ids:
            pairs = zip(self.trials, self.configs, strict=True)
            return {number: _place(config, number, finished) for number, config in pairs}
        places = {trial.trial_id: place for place, trial in enumerate(finished)}
        named = zip((*self.trials, *self.unsound), self.trial_ids, strict=True)
        return {number: places.get(trial_id, number) for number, trial_id in named}

    @property
    def members(self) -> dict[int, int]:
        """Each trial's weight in the mean prediction."""
        return dict(zip(self.trials, self.weights or [1] * len(self.trials), strict=True))

    @property
    def n_networks(self) -> int:
        return len(self.configs) * len(self.seeds)

    @property
    def left_out(self) -> str:
        """Which trials or seeds were left out, in words; "" if none was."""
        numbers = self.unsound or self.diverged
        if not numbers:
            return ""
        one = "of trial" if self.unsound else "with seed"
        which = f"{one}{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"
        return f"a training {which} diverged: left out"

    def searched(self, metric: str) -> str:
        """The name of the search's ``metric`` on the test set; another one if it is not there."""
        name = f"test_{metric.removeprefix('val_')}"
        return name if name in self.values else next(iter(self.values))

    def mean(self, metric: str) -> float:
        return statistics.fmean(self.values[metric])

    def deviation(self, metric: str) -> float | None:
        """The sample standard deviation over the seeds; None for a single one."""
        values = self.values[metric]
        return statistics.stdev(values) if len(values) > 1 else None

    def told(self, metric: str) -> str:
        """Mean and deviation, such as 0.9694 +- 0.0031."""
        deviation = self.deviation(metric)
        mean = self.mean(metric)
        over = "" if deviation is None else f" +- {shown_score(deviation, like=mean)}"
        return shown_score(mean) + over


_Fields = fields_of(Look, finite=False)


def _place(config: Config, number: int, finished: Sequence[FinishedTrial]) -> int:
    """The place of a trial with ``config``: still ``number`` if one is there or none is found, else
    the first."""
    places = [place for place, trial in enumerate(finished) if trial.config == config]
    return number if number in places or not places else places[0]


def read_looks(path: Path) -> list[Look]:
    """The looks in the order in which they were taken; none if there is no such file.

    Raises ``ValueError`` for a file that is not what :func:`add_look` wrote.
    """
    if not path.is_file():
        return []
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; restore it, or delete it to do without its looks") from None
    try:
        return [_read(look) for look in content["looks"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _read(content: Mapping[str, Any]) -> Look:
    look = Look(**_frozen(content))
    check(_Fields, vars(look))
    n, named = len(look.trials), len(look.trials) + len(look.unsound)
    for name, lengths in (
        ("configs", (n,)),
        ("epochs", (n,)),
        ("weights", (0, n)),
        ("trial_ids", (0, named)),
    ):
        if (found := len(getattr(look, name))) not in lengths:
            raise ValueError(f"{name} has {found} entries for {lengths[-1]} trials")
    if not n or min(look.trials) < 0:
        raise ValueError(f"trials is {look.trials}")
    if not look.values or not all(look.values.values()):
        raise ValueError("values is empty, or has a metric without a value")
    return look


def _frozen(value: Any) -> Any:
    """``value`` with tuples in place of lists."""
    if isinstance(value, list):
        return tuple(_frozen(entry) for entry in value)
    return {k: _frozen(v) for k, v in value.items()} if isinstance(value, dict) else value


@contextmanager
def looking(files: RunFiles) -> Iterator[None]:
    """One evaluation of a run at a time: waits until no other process is inside the block, unless
    the file system has no locks."""
    with ExitStack() as stack:
        with suppress(OSError):
            # This file stays as it is. NFS locks only what is open for writing.
            file = stack.enter_context(files.spec.open("r+b"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@patient
def add_look(path: Path, look: Look) -> int:
    """Add a look to those in ``path``, whole or not at all. Returns the new number of looks.

    Raises ``StorageError`` if that fails for a minute."""
    looks = [*read_looks(path), look]
    write_whole(path, json.dumps({"looks": [asdict(look) for look in looks]}, indent=1) + "\n")
    return len(looks)
