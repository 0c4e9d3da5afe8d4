"""Puts together Ray's tuner for the trials of a study."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ray import tune

from pipelines.cluster.machines import Cluster, is_alive, slot_counter, why_none_runs
from pipelines.cluster.sharing import gpu_counter
from pipelines.cluster.word import take_word
from pipelines.record.files import RunFiles
from pipelines.record.writing import Record
from pipelines.study.study import Study
from pipelines.tuner.adapters.callback import Machines, StudyCallback
from pipelines.tuner.adapters.gauges import Gauges
from pipelines.tuner.adapters.in_sequence import InSequence
from pipelines.tuner.adapters.live import LiveState
from pipelines.tuner.adapters.one_by_one import OneByOne
from pipelines.tuner.adapters.searcher import StudySearcher
from pipelines.tuner.adapters.stopper import StudyStopper
from pipelines.tuner.checkpoints import Checkpoints
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.ledger.before import Before, Unfinished
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.progress import Observer
from pipelines.tuner.rebuilding import tell_again
from pipelines.tuner.scheduling.judge import Judge
from pipelines.tuner.scheduling.schedulers import Scheduler
from pipelines.tuner.sources import NotedTrials, Once, ScreenedTrials, Source
from pipelines.tuner.trial_settings import TrialSettings, batch_seconds
from pipelines.tuner.worker.reserved import reserved
from pipelines.tuner.worker.trial import StudyTrial


class Place(NamedTuple):
    """Where Ray keeps checkpoints while it trains."""

    storage: str  # an absolute path, or a URI
    folder: str  # in the storage


@dataclass(frozen=True)
class Part:
    """One part of a study: its search, or the repeats of its best trials."""

    name: str
    source: Source
    scheduler: Scheduler
    before: Before | None  # how far it had come, if it goes on

    def place(self, study: Study) -> Place:
        """Where Ray keeps the checkpoints of its trials."""
        storage = study.spec.run.storage
        name = study.folder.name if storage else RunFiles(study.folder).ray.name
        folder = name if self.name == "search" else f"{name}-{self.name}"
        return Place(storage or str(study.folder), folder)


def make_tuner(
    study: Study,
    cluster: Cluster,
    observer: Observer,
    part: Part,
    ledger: TrialLedger,
    record: Record,
) -> tune.Tuner:
    """Ray's tuner for the trials of ``part``, which ``ledger`` follows and ``record`` keeps."""
    spec, scheduler, before = study.spec, part.scheduler, part.before
    place = part.place(study)
    total = ledger.progress().total
    each = spec.resources.trial
    slots = slot_counter(cluster, each, spec.resources.max_concurrent)
    settings = _trial_settings(study, scheduler, place.storage, slots())
    gpus = gpu_counter(cluster, each, slots, total)
    # If configs change during training, the whole population takes turns.
    screened = ScreenedTrials(
        NotedTrials(part.source, record.events),
        lambda config, attempt: callback.ends_at_once(config, attempt),  # defined below
        over=lambda: bool(ledger.reason),
    )
    searcher = StudySearcher(screened, (lambda: total) if scheduler.changes_configs else slots)
    gauges = Gauges(study.folder.name, study.metric_name)
    live = LiveState(record.files, ledger, searcher, part.name, also=gauges.show)
    live.step()
    rays = scheduler.make(study.stopping)
    judge = Judge(rays, study.metric_name)
    if before is not None:
        tell_again(judge, before)
        _note_longer(record, before)
    adapter = OneByOne if scheduler.pauses else partial(InSequence, judge=judge)
    callback = adapter(
        ledger,
        record=record,
        tell=Once(part.source.tell, before.told if before else ()),
        observer=observer,
        searcher=searcher,
        live=live,
        checkpoints=_checkpoints(study, place, before),
        machines=Machines(
            is_alive,
            words=partial(take_word, settings.data_key),
            why_idle=partial(why_none_runs, cluster, each),
            without_cuda=cluster.without_cuda,
        ),
    )
    if before is not None:
        _go_on(before, judge, callback, searcher, spec.budget.max_epochs)
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(StudyTrial, settings=settings, data=study.trial_data),
            partial(reserved, each.cpus, gpus),
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=rays if scheduler.pauses else None,
            num_samples=-1,  # the searcher says when there is nothing left
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=_run_config(place, scheduler, callback, StudyStopper(ledger)),
    )


def _run_config(
    place: Place, scheduler: Scheduler, callback: StudyCallback, stopper: StudyStopper
) -> tune.RunConfig:
    return tune.RunConfig(
        name=place.folder,
        storage_path=place.storage,
        callbacks=[callback],
        stop=stopper,
        # The callback asks for a checkpoint when one is useful, not at the end of every trial. If
        # configs change, an earlier checkpoint may still be needed.
        checkpoint_config=tune.CheckpointConfig(
            num_to_keep=4 if scheduler.changes_configs else 1, checkpoint_at_end=False
        ),
        verbose=0,
        # This one shows nothing. In a notebook, Tune's own clears the output of the cell first.
        progress_reporter=tune.ProgressReporter(),
    )


def _checkpoints(study: Study, place: Place, before: Before | None) -> Checkpoints:
    kept = KeptStates(place.storage, study.folder.name if study.spec.run.storage else "")
    unfinished = before.unfinished if before else ()
    return Checkpoints(place.storage, kept, [trial.attempt for trial in unfinished])


def _trial_settings(study: Study, scheduler: Scheduler, storage: str, slots: int) -> TrialSettings:
    spec = study.spec
    return TrialSettings(
        study.trial_trainable,
        study.metric_name,
        spec.budget.max_epochs,
        spec.resources.cpus_per_trial,
        storage,
        data_key=secrets.token_hex(8),
        must_resume=scheduler.pauses,
        decides=partial(scheduler.decides, replace(study.stopping, space=None)),
        target_value=spec.budget.target_value,
        label=f"{study.folder.name} {spec.problem.name}",
        worst=study.metric.worst,
        also=study.yielded,
        requirements=study.goals.requirements,
        folder=str(Path.cwd()),
        batch_seconds=batch_seconds(slots),
    )


def _go_on(
    before: Before,
    judge: Judge,
    callback: StudyCallback,
    searcher: StudySearcher,
    max_epochs: int,
) -> None:
    """Let the unfinished trials go on, except those that have ended already."""
    for trial in before.unfinished:
        if _was_stopped(judge, trial, before, max_epochs):
            judge.end(trial.attempt.trial_id)
            callback.end_stopped(trial)
        elif not callback.ends_at_once(trial.config, trial.attempt):
            searcher.try_again(trial.config, trial.attempt)


def _was_stopped(judge: Judge, trial: Unfinished, before: Before, max_epochs: int) -> bool:
    """Whether the scheduler stopped ``trial`` after the epoch of its last checkpoint: its driver
    was killed before it noted the end. A trial that had ended before is trained on anyway."""
    trial_id, saved = trial.attempt.trial_id, max(trial.metrics, default=0)
    goes_on = trial_id in before.ends or saved >= max_epochs
    return not goes_on and judge.has_stopped(trial_id, saved)


def _note_longer(record: Record, before: Before) -> None:
    """Note in the record which trials train longer than planned at first."""
    if record.events is None:
        return
    for trial in before.unfinished:
        trial_id = trial.attempt.trial_id
        if trial_id in before.trained_on:
            record.events.trained_on(trial_id, before.kept[trial_id])
        if trial.planned:
            record.events.planned(trial_id, trial.planned)
    record.flush()
