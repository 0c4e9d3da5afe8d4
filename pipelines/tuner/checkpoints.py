"""The checkpoints of a search's trials, as the driver knows them."""

from __future__ import annotations

from collections.abc import Iterable

from ray.tune import Checkpoint

from pipelines.cluster.places import place_in
from pipelines.tuner.attempts import Attempt
from pipelines.tuner.kept import KeptStates


class Checkpoints:
    """The last checkpoint in ``storage``, an absolute path or a URI, of each trial that has not
    ended, and the states that ``kept`` keeps of trials that have."""

    def __init__(self, storage: str, kept: KeptStates, earlier: Iterable[Attempt] = ()) -> None:
        """``earlier`` are attempts that go on from checkpoints of an earlier driver."""
        self.kept = kept
        self._storage = storage
        self._last = {
            attempt.trial_id: attempt.checkpoint_in(storage)
            for attempt in earlier
            if attempt.checkpoint is not None
        }

    def add(self, trial_id: str, checkpoint: Checkpoint) -> str:
        """Note the last checkpoint of a trial. Returns its place in the storage, for the record."""
        self._last[trial_id] = checkpoint
        return place_in(self._storage, checkpoint.path)

    def path(self, trial_id: str) -> str | None:
        """The path of a trial's last checkpoint; None if it has saved none."""
        checkpoint = self._last.get(trial_id)
        return None if checkpoint is None else checkpoint.path

    def pop(self, trial_id: str) -> Checkpoint | None:
        """Forget the last checkpoint of a trial, and return it."""
        return self._last.pop(trial_id, None)
