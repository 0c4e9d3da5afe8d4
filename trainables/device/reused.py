"""A process in which one training comes after the other, each as if it were the first."""

from __future__ import annotations

from trainables.device.leftovers import Memory, Workers, open_files
from trainables.device.patches import Patches
from trainables.device.process_settings import ProcessSettings, seed_generators


class ReusedProcess:
    """This process as it is before its first training."""

    def __init__(self, share: float) -> None:
        """``share`` of the machine is for one training at a time."""
        self._memory = Memory(share)
        self._workers, self._settings, self._patches = Workers(), ProcessSettings(), Patches()

    def begin(self, seed: int) -> None:
        """A training begins."""
        seed_generators(seed)

    def clean(self) -> str:
        """After a training: put back what it has changed. Returns what cannot be put back, in
        words that go on from "its process ends: "; "" where the process is as it was."""
        if grown := self._memory.growth():
            return grown
        if left := self._workers.at_work() or open_files():
            return left
        changed = (
            self._settings.restore() + self._patches.found()
        )  # a dtype is a class of torch's too
        return f"it changed {', '.join(changed[:3])}" if changed else ""
