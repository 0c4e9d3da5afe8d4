"""Running a study on Ray Tune."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ray import tune
from ray.tune.execution import class_cache

from pipelines.cluster.connect import Cluster, is_alive, slot_counter
from pipelines.cluster.places import clear, place_in
from pipelines.cluster.room import room
from pipelines.cluster.sharing import gpu_counter
from pipelines.record.files import RunFiles
from pipelines.record.live import remove_live
from pipelines.record.lock import holding
from pipelines.record.patience import StorageError, storage_reason
from pipelines.record.sessions import working
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record, mend, start_run
from pipelines.study.interrupts import interruptible
from pipelines.study.result import StudyResult
from pipelines.study.study import Study
from pipelines.tuner import deaths
from pipelines.tuner.algorithms import make_sampler
from pipelines.tuner.before import Before
from pipelines.tuner.callback import InSequence, OneByOne
from pipelines.tuner.gauges import Gauges
from pipelines.tuner.judge import Judge
from pipelines.tuner.kept import KEPT, KeptStates
from pipelines.tuner.ledger import TrialLedger
from pipelines.tuner.live import LiveState
from pipelines.tuner.progress import Observer
from pipelines.tuner.rebuilding import resumed_sampler, tell_again
from pipelines.tuner.reports import Rules
from pipelines.tuner.reserved import reserved
from pipelines.tuner.schedulers import SCHEDULERS, Scheduler
from pipelines.tuner.searcher import StudySearcher
from pipelines.tuner.sources import (
    NotedTrials,
    Once,
    RepeatedTrials,
    SampledTrials,
    ScreenedTrials,
    Source,
)
from pipelines.tuner.stopper import StudyStopper
from pipelines.tuner.trial import StudyTrial, TrialSettings

# Ray would start other processes than those that it has ready for a setting of PyTorch Lightning.
class_cache.DEFAULT_ENV_VARS.clear()
deaths.expect_all()


def run_study(study: Study, cluster: Cluster, observer: Observer) -> StudyResult:
    """Search on the connected cluster, or go on with a search; the record lies in ``study.folder``
    as it goes.

    Raises:
        ValueError: the folder exists, or the algorithm refuses the space (a grid larger than the
            number of trials); of a search that goes on, another process works on it.
    """
    spec, files = study.spec, RunFiles(study.folder)
    before = study.resumed.search if study.resumed else None
    worst = study.metric.worst
    if before is None:
        sampler = make_sampler(spec.search.algo, study.problem, worst)
        start_run(files, spec.model_dump(mode="json"), study.prepared(), study.preprocessing)
    else:
        sampler, _ = resumed_sampler(spec.search.algo, study.problem, worst, before)
    asked = 0 if before is None else len(before.asked)
    rules = Rules(
        metric=study.metric_name,
        trials=study.trials,
        max_failures=spec.resources.max_failures,
        trial_timeout=spec.resources.trial_timeout,
        time_budget=spec.budget.time_budget,
        target_value=spec.budget.target_value,
        chance_loss=study.chance_loss,
        best_before=study.best_before,
        keep=0 if study.scheduler.pauses else spec.budget.keep,
        saves_last=not study.scheduler.pauses,
        also=study.goals.aims[1:],
        requirements=study.goals.requirements,
        size=study.network_size,
    )
    with holding(files):
        return _run(
            study,
            cluster,
            observer,
            part="search",
            source=SampledTrials(sampler, spec.budget.trials - asked, spec.search.seed),
            rules=rules,
            scheduler=study.scheduler,
            before=before,
        )


def run_again(
    study: Study, best: list[FinishedTrial], cluster: Cluster, observer: Observer
) -> StudyResult:
    """Train the configs of the ``best`` trials again, each for all its epochs and with as many
    seeds as ``study`` asks for, none of which the search has used. The record gets them apart."""
    spec = study.spec
    assert spec.budget.repeats is not None
    before = study.resumed.repeats if study.resumed else None
    first = spec.search.seed + 1
    seeds = range(first, first + spec.budget.repeats)
    done = {(asked.repeat_of, asked.seed) for asked in before.asked} if before else ()
    rules = Rules(
        metric=study.metric_name,
        trials=len(best) * len(seeds),
        max_failures=spec.resources.max_failures,
        trial_timeout=spec.resources.trial_timeout,
        chance_loss=study.chance_loss,
        saves_last=True,
        requirements=study.goals.requirements,
        size=study.network_size,
    )
    with holding(RunFiles(study.folder)):
        return _run(
            study,
            cluster,
            observer,
            part="repeats",
            source=RepeatedTrials(best, seeds, done),
            rules=rules,
            scheduler=SCHEDULERS["none"],
            before=before,
        )


def _run(
    study: Study,
    cluster: Cluster,
    observer: Observer,
    *,
    part: str,
    source: Source,
    rules: Rules,
    scheduler: Scheduler,
    before: Before | None,
) -> StudyResult:
    spec, files = study.spec, RunFiles(study.folder)
    search = part == "search"
    if study.resumed is not None:
        mend(files, study.resumed.killed_at)
    changes = study.resumed.changes if study.resumed else {}
    with working(files, part, changes) as session:
        ledger = TrialLedger(rules, before=before)
        record = Record(
            files,
            files.journal if search else files.repeats,
            study.space,
            study.goals,
            events=None if scheduler.pauses else files.events if search else files.repeats_events,
            before=before.trials if before else (),
        )
        place = _rays_place(study, part)
        if before is not None:
            going_on = (trial.attempt.checkpoint or "" for trial in before.unfinished)
            clear(place.storage, place.folder, [KEPT, *(Path(c).parent.name for c in going_on)])
        try:
            with room():
                tuner = _tuner(
                    study, cluster, observer, part, source, ledger, scheduler, record, before
                )
            with interruptible(ledger.request), _naming_the_disk():
                tuner.fit()
        finally:
            record.close()
            remove_live(files)
        if not ledger.reason:  # all is done: what Ray left is of no more use
            clear(place.storage, place.folder, [KEPT])
        session.by = ledger.reason
    most, also = spec.budget.max_epochs, study.goals.aims[1:]
    return StudyResult(record.trials, study.metric_name, most, ledger.reason, also)


def _tuner(
    study: Study,
    cluster: Cluster,
    observer: Observer,
    part: str,
    source: Source,
    ledger: TrialLedger,
    scheduler: Scheduler,
    record: Record,
    before: Before | None,
) -> tune.Tuner:
    spec = study.spec
    storage, folder = _rays_place(study, part)
    settings = TrialSettings(
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
    )
    total = ledger.progress().total
    each = spec.resources.trial
    slots = slot_counter(cluster, each, spec.resources.max_concurrent)
    gpus = gpu_counter(cluster, each, slots, total)
    # Where configs change in mid-training, the whole population takes turns.
    screened = ScreenedTrials(
        NotedTrials(source, record.events),
        lambda config, attempt: callback.ends_at_once(config, attempt),  # it is made below
        over=lambda: bool(ledger.reason),
    )
    searcher = StudySearcher(screened, (lambda: total) if scheduler.changes_configs else slots)
    gauges = Gauges(study.folder.name, study.metric_name)
    live = LiveState(record.files, ledger, searcher, part, also=gauges.show)
    live.step()
    stopper = StudyStopper(ledger)
    rays = scheduler.make(study.stopping)
    judge = Judge(rays, study.metric_name)
    checkpoints = {}
    kept = KeptStates(storage, study.folder.name if spec.run.storage else "")
    if before is not None:
        tell_again(judge, before)
        for trial in before.unfinished:
            if trial.attempt.checkpoint is not None:
                checkpoints[trial.attempt.trial_id] = trial.attempt.checkpoint_in(storage)
        _note_longer(record, before, kept)
    adapter = OneByOne if scheduler.pauses else partial(InSequence, judge=judge)
    callback = adapter(
        ledger,
        record=record,
        tell=Once(source.tell, before.told if before else ()),
        observer=observer,
        searcher=searcher,
        live=live,
        alive=is_alive,
        checkpoints=checkpoints,
        place=partial(place_in, storage),
        kept=kept,
    )
    for trial in before.unfinished if before else ():
        if not callback.ends_at_once(trial.config, trial.attempt):
            searcher.try_again(trial.config, trial.attempt)
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
        run_config=tune.RunConfig(
            name=folder,
            storage_path=storage,
            callbacks=[callback],
            stop=stopper,
            # The callback asks for a checkpoint where one is worth it: not at every trial's end.
            # Where configs change, the one before the last may still be wanted.
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=4 if scheduler.changes_configs else 1, checkpoint_at_end=False
            ),
            verbose=0,
        ),
    )


class _Place(NamedTuple):
    storage: str  # an absolute path, or a URI
    folder: str  # in it


def _rays_place(study: Study, part: str) -> _Place:
    """Where Ray keeps checkpoints while it trains."""
    storage = study.spec.run.storage
    name = study.folder.name if storage else RunFiles(study.folder).ray.name
    folder = name if part == "search" else f"{name}-repeats"
    return _Place(storage or str(study.folder), folder)


def _note_longer(record: Record, before: Before, kept: KeptStates) -> None:
    """Of trials that train longer than they had planned."""
    if record.events is None:
        return
    ended = {trial.trial_id: trial for trial in before.trials}
    for trial in before.unfinished:
        trial_id = trial.attempt.trial_id
        if trial_id in before.trained_on:
            record.events.trained_on(trial_id, kept.place(ended[trial_id]))
        if trial.planned:
            record.events.planned(trial_id, trial.planned)


@contextmanager
def _naming_the_disk() -> Iterator[None]:
    """Whatever Ray Tune makes of it, a disk that is full for a minute ends a search in a line."""
    try:
        yield
    except Exception as error:
        if not (reason := storage_reason(error)):
            raise
        raise StorageError(f"the search has stopped, as it cannot write: {reason}") from error
