"""What happened to the trials of a search, in order. A resumed search is rebuilt from this.

A decision of an algorithm or a scheduler depends on what it was told before, and in which order.
The journal of finished trials has neither that order nor the trials that were running. Here, a line
is written when a trial is asked for, each time it reports, when its checkpoint is written, when it
is tried again, and when it is in the journal. The numbers are those that the decisions used.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from pipelines.record.lines import REPAIR, Lines, read_lines
from pipelines.record.patience import patient
from search_spaces import Config


@dataclass(frozen=True)
class Asked:
    """A trial gets its config. It starts as soon as a slot is free."""

    at: float  # seconds since 1970, as in all events
    trial_id: str
    config: Config
    seed: int
    repeat_of: str = ""


@dataclass(frozen=True)
class Reported:
    """Values of the metric searched for, by epoch, before any decision on them."""

    at: float
    trial_id: str
    values: Mapping[int, float]


@dataclass(frozen=True)
class Saved:
    """A checkpoint is written, from which the trial can go on."""

    at: float
    trial_id: str
    checkpoint: str  # its place in the storage
    metrics: Mapping[int, Mapping[str, float]]  # of the epochs since the last checkpoint


@dataclass(frozen=True)
class TriedAgain:
    """An attempt ended, and the trial gets another one."""

    at: float
    trial_id: str
    counts: Mapping[str, int]  # how often each cause ended an attempt, by field name


@dataclass(frozen=True)
class TrainedOn:
    """A trial that had ended is going to train longer than it had planned."""

    at: float
    trial_id: str
    checkpoint: str  # its place in the storage


@dataclass(frozen=True)
class Planned:
    """A trial is made longer. ``lengths``: from an epoch on, how many epochs it plans in all."""

    at: float
    trial_id: str
    lengths: Mapping[int, int]


@dataclass(frozen=True)
class Ended:
    """The trial is in the journal of finished trials."""

    at: float
    trial_id: str


_ENDED = re.compile(rb'^\{"at":[^,]+,"ended":("[^"]*")\}$', re.MULTILINE)

Event: TypeAlias = Asked | Reported | Saved | TriedAgain | TrainedOn | Planned | Ended


def at_once(write: Callable[[], None]) -> None:
    """Write now: the event is in the file when the method of :class:`Events` returns."""
    write()


class Events:
    """Appends to the file ``path``. ``later`` receives each write, and must perform the writes in
    their order."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        later: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        self._lines = Lines(path)
        self._clock = clock
        self._later = later

    def asked(self, trial_id: str, config: Config, seed: int, repeat_of: str) -> None:
        again = {"repeat_of": repeat_of} if repeat_of else {}
        self._add("asked", trial_id, config=config, seed=seed, **again)

    def reported(self, trial_id: str, values: Sequence[tuple[int, float]]) -> None:
        if values:
            self._add("reported", trial_id, values=values)

    def saved(
        self, trial_id: str, checkpoint: str, metrics: Mapping[int, Mapping[str, float]]
    ) -> None:
        self._add("saved", trial_id, checkpoint=checkpoint, metrics=list(metrics.items()))

    def tried_again(self, trial_id: str, counts: Mapping[str, int]) -> None:
        self._add("tried_again", trial_id, counts=counts)

    def trained_on(self, trial_id: str, checkpoint: str) -> None:
        self._add("trained_on", trial_id, checkpoint=checkpoint)

    def planned(self, trial_id: str, lengths: Mapping[int, int]) -> None:
        self._add("planned", trial_id, lengths=list(lengths.items()))

    def ended(self, trial_id: str) -> None:
        self._add("ended", trial_id)

    def close(self) -> None:
        self._lines.close()

    def _add(self, kind: str, trial_id: str, **more: Any) -> None:
        entry = {"at": round(self._clock(), 3), kind: trial_id, **more}
        self._later(partial(self._append, entry))

    @patient
    def _append(self, entry: Mapping[str, Any]) -> None:
        self._lines.append(entry)


def read_events(path: Path) -> list[Event]:
    """The events in their order; none if there is no file.

    Raises ``ValueError`` for a line that is not an event.
    """
    events = []
    for number, entry in enumerate(read_lines(path), 1):
        try:
            events.append(_event(entry))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{path}, line {number} is not an event: {reason}{REPAIR}") from None
    return events


def names_of_ended(path: Path) -> set[str]:
    """The trials that have ended; empty if there is no file. A line that cannot be read does not
    count: the journal can be read without it."""
    found = _ENDED.findall(path.read_bytes()) if path.is_file() else []
    return {json.loads(name) for name in found}


def _event(entry: Mapping[str, Any]) -> Event:
    at = float(entry["at"])
    if "reported" in entry:
        values = {int(epoch): float(value) for epoch, value in entry["values"]}
        return Reported(at, str(entry["reported"]), values)
    if "ended" in entry:
        return Ended(at, str(entry["ended"]))
    if "asked" in entry:
        repeat_of = str(entry.get("repeat_of", ""))
        return Asked(at, str(entry["asked"]), dict(entry["config"]), int(entry["seed"]), repeat_of)
    if "saved" in entry:
        metrics = {int(epoch): dict(found) for epoch, found in entry["metrics"]}
        return Saved(at, str(entry["saved"]), str(entry["checkpoint"]), metrics)
    if "trained_on" in entry:
        return TrainedOn(at, str(entry["trained_on"]), str(entry["checkpoint"]))
    if "planned" in entry:
        lengths = {int(epoch): int(length) for epoch, length in entry["lengths"]}
        return Planned(at, str(entry["planned"]), lengths)
    counts = {str(name): int(count) for name, count in entry["counts"].items()}
    return TriedAgain(at, str(entry["tried_again"]), counts)
