"""Copies of the last checkpoints of the best trials, in the storage, to train them on later."""

from __future__ import annotations

from contextlib import suppress

from pyarrow.fs import FileSystem, FileType, copy_files
from ray.tune import Checkpoint

from pipelines.record.patience import patient
from pipelines.record.trials import FinishedTrial

KEPT = "kept"  # the folder


class KeptStates:
    """The kept states of one run's trials in ``storage``, an absolute path or a URI."""

    def __init__(self, storage: str, run: str = "") -> None:
        """``run`` is the run's name, needed if the storage holds other runs too."""
        self._storage = storage.rstrip("/")
        self._prefix = f"{run}/{KEPT}" if run else KEPT

    @patient
    def keep(self, trial: FinishedTrial, checkpoint: Checkpoint) -> None:
        """Copy ``checkpoint``, under a name that no other state of the trial has. The copy is
        complete when this returns. Raises ``StorageError`` if that fails for a minute."""
        filesystem, path = self._place(trial)
        filesystem.create_dir(path, recursive=True)
        copy_files(
            checkpoint.path,
            path,
            source_filesystem=checkpoint.filesystem,
            destination_filesystem=filesystem,
        )

    def drop(self, trial: FinishedTrial) -> None:
        filesystem, path = self._place(trial)
        with suppress(OSError):  # the trial may never have had a kept state
            filesystem.delete_dir(path)

    def has(self, trial: FinishedTrial) -> bool:
        try:
            filesystem, path = self._place(trial)
            return bool(filesystem.get_file_info(path).type == FileType.Directory)
        except (OSError, ValueError):  # the storage is not there any more
            return False

    def place(self, trial: FinishedTrial) -> str:
        """Where the state of ``trial`` lies, relative to the storage."""
        return f"{self._prefix}/{trial.trial_id}-{trial.epochs}"

    def _place(self, trial: FinishedTrial) -> tuple[FileSystem, str]:
        filesystem, root = FileSystem.from_uri(self._storage)
        return filesystem, f"{root}/{self.place(trial)}"
