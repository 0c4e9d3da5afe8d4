"""When running trials were last heard, and which of them hang."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.tuner.ledger.reports import Rules

SILENT = 300.0  # seconds without an epoch before a trial may count as hung
SILENT_TIMES = 20  # times the longest epoch of any trial of the study


class Silence:
    """How long running trials have reported nothing."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self._most = rules.trial_timeout
        self._clock = clock
        self._heard: dict[str, float] = {}  # when each trial was last heard
        self._longest = 0.0  # seconds that a trial has needed for an epoch, its start included

    def heard(self, trial_id: str) -> None:
        """A trial has started, begun to train, or was saved."""
        self._heard[trial_id] = self._clock()

    def reported(self, trial_id: str) -> None:
        """A trial has trained an epoch."""
        now = self._clock()
        self._longest = max(self._longest, now - self._heard[trial_id])
        self._heard[trial_id] = now

    def ended(self, trial_id: str) -> None:
        del self._heard[trial_id]

    def was_away(self, seconds: float) -> None:
        """Nobody could hear a trial for so long until now."""
        now = self._clock()
        self._heard = {name: min(now, at + seconds) for name, at in self._heard.items()}

    def is_hung(self, trial_id: str) -> bool:
        """Whether a trial has reported no epoch for too long: see ``Rules``. Without a limit in the
        rules, no trial counts as hung before the first epoch of the study."""
        most = self._most
        if most is None and self._longest:
            most = max(SILENT, SILENT_TIMES * self._longest)
        return most is not None and self._clock() - self._heard[trial_id] > most
