"""The adapter from the ledger to Ray Tune's Stopper interface."""

from __future__ import annotations

from typing import Any

from ray.tune import Stopper

from pipelines.tuner.ledger.ledger import TrialLedger


class StudyStopper(Stopper):
    """Stops all trials when the ledger says that the study is over."""

    def __init__(self, ledger: TrialLedger) -> None:
        self._ledger = ledger

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False  # a trial ends by itself, or its scheduler stops it

    def stop_all(self) -> bool:
        return self._ledger.is_over()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: a search is resumed from the record."""
        return {}
