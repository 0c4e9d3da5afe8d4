"""A process that runs one training after the other, each as if it were the first."""

from __future__ import annotations

from trainables.device.leftovers import Memory, Workers, open_files
from trainables.device.patches import Patches
from trainables.device.process_settings import ProcessSettings, seed_generators


class ReusedProcess:
    """This process as it is before its first training."""

    def __init__(self, share: float) -> None:
        """``share`` is the part of the machine that one training at a time may use."""
        self._memory = Memory(share)
        self._workers, self._settings, self._patches = Workers(), ProcessSettings(), Patches()

    def begin(self, seed: int) -> None:
        """Call this before a training."""
        seed_generators(seed)

    def clean(self) -> str:
        """Restores what a training has changed. Call this after the training.

        Returns what cannot be restored, in words that follow "its process ends: ", or "" if the
        process is as it was.
        """
        if grown := self._memory.growth():
            return grown
        if left := self._workers.at_work() or open_files():
            return left
        changed = (
            self._settings.restore() + self._patches.found()
        )  # a dtype is a class of torch's too
        return f"it changed {', '.join(changed[:3])}" if changed else ""
