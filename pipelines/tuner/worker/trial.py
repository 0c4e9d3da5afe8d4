"""A trial on the cluster. This is the only module in which a trainable meets Ray."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.result import DONE, RESULT_DUPLICATE

from pipelines.cluster import notice
from pipelines.cluster.sharing import assigned_gpus
from pipelines.cluster.word import leave_word
from pipelines.record.goals import broken_of
from pipelines.record.patience import StorageError, naming, patient
from pipelines.tuner.attempts import AttemptError, Cause, unpack
from pipelines.tuner.epoch_reports import (
    FINISHED,
    HAS_STATE,
    HAS_WEIGHTS,
    NO_CUDA,
    NOTICE,
    PRINTED,
    REPORTS,
    EpochReport,
    epoch_line,
    report,
)
from pipelines.tuner.trial_settings import TrialSettings
from pipelines.tuner.worker.own_data import OwnData
from pipelines.tuner.worker.printed import Printed
from pipelines.tuner.worker.raising import in_words
from pipelines.tuner.worker.spans import span
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device import gpu
from trainables.device.share import claim_device, set_threads
from trainables.training.metrics import METRICS
from trainables.training.trainable import Epochs, Resumable, check_epochs, metrics_and_model

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "weights.pt"  # of the best epoch
TRAINING = "training.pt"  # the state to go on from


class StudyTrial(tune.Trainable):
    """Trains one trial after another in one process. To Ray, all of them are one trial.

    A step trains until the next epoch after which the scheduler decides, or for half a second
    (longer if many trials run at once: :func:`batch_seconds`), and reports all epochs trained.
    After a trial has ended, :meth:`assign` gives the next one. If the scheduler pauses trials, each
    trial is one of Ray's, and :meth:`reset_config` gives the next.
    """

    def setup(self, config: Config, settings: TrialSettings, data: TrialData) -> None:
        from trainables.device.reused import ReusedProcess  # imports torch: not in the driver

        self._settings = settings
        _quieten_ray()
        if settings.folder:
            with suppress(OSError):  # another machine may not have it
                os.chdir(settings.folder)  # before ReusedProcess notes the folder, to restore it
        self._data = OwnData(data, settings.data_key)
        set_threads(settings.cpus)
        self._model: nn.Module | None = None
        self._assigned: Config | None = None
        self._best_weights: dict[str, torch.Tensor] = {}
        self._epochs: Epochs = iter(())
        self._trains = False
        self._failed: AttemptError | None = None
        self._printed = Printed()
        share = settings.cpus / (os.cpu_count() or 1)
        device = claim_device(assigned_gpus())  # before ReusedProcess: this sets the environment
        self._no_cuda = assigned_gpus() > 0 and device.type == "cpu"
        self._process = ReusedProcess(share)
        try:
            self._start(config)
        except AttemptError as error:  # raised here, Ray would say that the process died
            self._failed = error

    def __repr__(self) -> str:
        """Ray reads this once, and shows it wherever it shows the process."""
        return self._settings.label

    def assign(self, packed: Config | None) -> None:
        """Begin this trial in the next step. None: the trial has ended, and no other follows."""
        self._assigned = packed
        if packed is None:
            self._release()

    def reset_config(self, new_config: Config) -> bool:
        """Begin this trial. If that fails, Ray ends the process and starts it in another."""
        self._begin(new_config)
        return True

    def _begin(self, packed: Config) -> None:
        """Raises ``AttemptError`` if the machine is about to be taken away, if the previous trial
        still holds GPU memory, or if it has changed the process for good."""
        if notice.is_given():
            raise AttemptError(Cause.LEAVING)
        if held := self._release():
            megabytes = f"the previous trial still holds {held / 2**20:.0f} MiB of GPU memory"
            raise AttemptError(Cause.MEMORY_HELD, megabytes)
        if left := self._process.clean():
            raise AttemptError(Cause.SPOILED, f"the process of the previous trial ends: {left}")
        self._start(packed)

    def _start(self, packed: Config) -> None:
        settings = self._settings
        self._config, attempt = unpack(packed)
        self._trial_id = attempt.trial_id
        self._epoch = 0
        self._best: tuple[float, float] | None = None  # the place of the best epoch
        self._best_fits = False
        self._process.begin(attempt.seed)
        self._printed.begin()
        with in_words(self._printed), self._printed.listening():
            self._epochs = settings.trainable(
                self._config,
                self._data.fresh(),
                max_epochs=settings.max_epochs,
                seed=attempt.seed,
                device=claim_device(assigned_gpus()),
            )
            check_epochs(self._epochs)
            if settings.must_resume and not isinstance(self._epochs, Resumable):
                raise TypeError(
                    "the scheduler pauses trials, but the trainable's iterator has no state_dict "
                    "and load_state_dict"
                )
            if attempt.checkpoint is not None:
                with attempt.checkpoint_in(settings.storage).as_directory() as folder:
                    self.load_checkpoint(folder)
        self._trains = True

    def _release(self) -> int:
        """Free the device's memory for the trials that share it. Returns the bytes still in use."""
        self._model = None
        self._best_weights = {}
        ended, self._epochs = self._epochs, iter(())
        if isinstance(ended, Generator):
            with suppress(Exception):  # what it raises when it is closed concerns no other trial
                ended.close()  # now: it may be inside torch.no_grad()
        del ended
        self._trains = False
        return gpu.release()

    def step(self) -> dict[str, Any]:
        if self._failed is not None:
            raise self._failed
        if self._assigned is not None:
            packed, self._assigned = self._assigned, None
            self._begin(packed)
        if not self._trains:
            return {REPORTS: [], DONE: True}  # no trial is left
        reports: list[EpochReport] = []
        try:
            with in_words(self._printed), span(f"{self._trial_id} from epoch {self._epoch + 1}"):
                finished = self._train(reports)
                if not reports and self._epoch == 0:
                    raise RuntimeError("the trainable ended without yielding an epoch")
        except AttemptError as error:
            error.reports = tuple(reports)
            raise
        self._trains = not finished
        result = {
            REPORTS: reports,
            FINISHED: finished,
            HAS_WEIGHTS: self._model is not None,
            HAS_STATE: isinstance(self._epochs, Resumable),
            NOTICE: notice.is_given(),
        }
        if self._no_cuda:
            result[NO_CUDA] = True
        if printed := self._printed.take():
            result[PRINTED] = printed
        return self._for_ray(result) if self._settings.must_resume else result

    def _train(self, reports: list[EpochReport]) -> bool:
        """Train to the next decision. Adds to ``reports``; returns whether the training is over."""
        settings, started = self._settings, time.monotonic()
        for metrics, model in self._heard():
            found = report(metrics, self._epoch + 1, settings)
            self._epoch, self._model = found.epoch, model
            reports.append(found)
            print(epoch_line(self._trial_id, found, settings.max_epochs), flush=True)
            self._keep_best(found)
            if found.diverged or found.epoch >= settings.max_epochs:
                return True
            if (
                settings.decides(self._config, found.epoch)
                or time.monotonic() - started >= settings.batch_seconds
                or self._reaches_target(found.value)
                or notice.is_given()
            ):
                return False
        return True

    def _heard(self) -> Epochs:
        """The trainable's epochs. What the trainable prints is captured."""
        while True:
            with self._printed.listening():
                try:
                    trained = next(self._epochs)
                except StopIteration:
                    return
            yield metrics_and_model(trained)

    def _for_ray(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result with the fields for Ray's own scheduler. It has one epoch, because that
        scheduler decides after each epoch."""
        if not result[REPORTS]:
            return {DONE: True, RESULT_DUPLICATE: True}
        (found,) = result[REPORTS]
        mine = {"epoch": found.epoch, self._settings.metric: found.value, DONE: result[FINISHED]}
        return {**result, **mine}

    def _reaches_target(self, value: float) -> bool:
        target = self._settings.target_value
        return target is not None and METRICS[self._settings.metric].reaches(value, target)

    def _keep_best(self, found: EpochReport) -> None:
        """Keep a copy of the best epoch's weights: a later epoch may be saved to go on from, but
        the best weights are the result. An epoch that breaks no requirement comes first."""
        fits = not broken_of(self._settings.requirements, found.metrics)
        place = METRICS[self._settings.metric].place(found.value, found.metrics)
        better = self._best is None or place < self._best
        if fits > self._best_fits or (fits == self._best_fits and better):
            self._best, self._best_fits = place, fits
            weights = {} if self._model is None else self._model.state_dict()
            self._best_weights = {name: t.detach().clone() for name, t in weights.items()}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Save; wait up to a minute if the storage is full or away, and tell the driver so."""
        save = super().save

        def action() -> Any:
            # Ray leaves a temporary folder of its own behind when a write fails.
            with (
                TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
                naming(self._settings.storage),
            ):
                return save(checkpoint_dir or temporary)

        def say(what: str) -> None:
            leave_word(self._settings.data_key, f"trial {self._trial_id} saves: {what}")

        try:
            return patient(action, say)()
        except StorageError as error:
            raise AttemptError(Cause.STORAGE, f"{Cause.STORAGE.value}: {error}") from None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the best weights, on the CPU, and the state to go on from. Both files can be loaded
        with ``weights_only=True``."""
        import torch

        folder = Path(checkpoint_dir)
        torch.save({name: t.cpu() for name, t in self._best_weights.items()}, folder / WEIGHTS)
        if isinstance(self._epochs, Resumable):
            state = {
                "config": self._config,
                "epoch": self._epoch,
                "best": self._best,
                "best_fits": self._best_fits,
                "training": self._epochs.state_dict(),
            }
            torch.save(state, folder / TRAINING)

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a checkpoint. A trainable that cannot starts again, with the same seed.

        Raises ``AttemptError`` if a file is damaged, for example by a power cut."""
        import torch

        folder = Path(checkpoint_dir)
        if not isinstance(self._epochs, Resumable):
            return
        try:
            # On the CPU: the states of generators must be there; the rest is copied to its device.
            state = torch.load(folder / TRAINING, weights_only=True, map_location="cpu")
            weights = torch.load(folder / WEIGHTS, weights_only=True)
        except Exception as error:  # torch raises a dozen types on a damaged file
            if self._settings.must_resume:  # the scheduler has paused the trial: it cannot begin
                raise
            raise AttemptError(Cause.DAMAGED, traceback=str(error)) from None
        self._epochs.load_state_dict(state["training"])
        self._epoch = state["epoch"]
        if state["config"] == self._config:  # else it is another trial's checkpoint
            best, metric = state["best"], METRICS[self._settings.metric]
            # Earlier versions saved the value alone.
            self._best = metric.place(best, {}) if isinstance(best, float | int) else best
            self._best_fits = state.get("best_fits", True)
            self._best_weights = weights

    def cleanup(self) -> None:
        self._release()
        self._data.close()


def _quieten_ray() -> None:
    """Otherwise Ray would report every checkpoint in the log of this process."""
    for name in ("ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.WARNING)
