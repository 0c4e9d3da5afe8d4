"""Running a study on Ray Tune."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from ray import tune
from ray.tune.execution import class_cache

from pipelines.cluster.connect import Cluster, is_alive, slot_counter
from pipelines.cluster.sharing import gpu_counter
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record, start_run
from pipelines.study.result import StudyResult
from pipelines.study.study import Study
from pipelines.tuner import deaths
from pipelines.tuner.algorithms import make_sampler
from pipelines.tuner.attempts import unpack
from pipelines.tuner.callback import InSequence, OneByOne
from pipelines.tuner.judge import Judge
from pipelines.tuner.ledger import Rules, TrialLedger
from pipelines.tuner.progress import Observer
from pipelines.tuner.schedulers import SCHEDULERS, Scheduler
from pipelines.tuner.searcher import StudySearcher
from pipelines.tuner.sources import RepeatedTrials, SampledTrials, Source
from pipelines.tuner.stopper import StudyStopper
from pipelines.tuner.trial import StudyTrial, TrialSettings

# Ray would start other processes than those that it has ready for a setting of PyTorch Lightning.
class_cache.DEFAULT_ENV_VARS.clear()
deaths.expect_all()


def run_study(study: Study, cluster: Cluster, observer: Observer) -> StudyResult:
    """Search on the connected cluster; the record lies in ``study.folder`` as it goes.

    Raises:
        ValueError: the folder exists, or the algorithm refuses the space (a grid larger than the
            number of trials).
    """
    spec, files = study.spec, RunFiles(study.folder)
    sampler = make_sampler(spec.search.algo, study.problem, study.metric.worst)
    start_run(files, spec.model_dump(mode="json"), study.prepared(), study.preprocessing)
    ledger = TrialLedger(
        Rules(
            metric=study.metric_name,
            trials=study.trials,
            max_failures=spec.resources.max_failures,
            trial_timeout=spec.resources.trial_timeout,
            time_budget=spec.budget.time_budget,
            target_value=spec.budget.target_value,
            chance_loss=study.chance_loss,
            best_before=study.best_before,
        )
    )
    trials = _run(
        study,
        cluster,
        observer,
        source=SampledTrials(sampler, spec.budget.trials, spec.search.seed),
        ledger=ledger,
        scheduler=study.scheduler,
        record=Record(files, files.journal, study.space, study.metric.mode),
    )
    return StudyResult(trials, study.metric_name, spec.budget.max_epochs, ledger.reason)


def run_again(
    study: Study, best: list[FinishedTrial], cluster: Cluster, observer: Observer
) -> StudyResult:
    """Train the configs of the ``best`` trials again, each for all its epochs and with as many
    seeds as ``study`` asks for, none of which the search has used. The record gets them apart."""
    spec, files = study.spec, RunFiles(study.folder)
    assert spec.budget.repeats is not None
    first = spec.search.seed + 1
    seeds = range(first, first + spec.budget.repeats)
    ledger = TrialLedger(
        Rules(
            metric=study.metric_name,
            trials=len(best) * len(seeds),
            max_failures=spec.resources.max_failures,
            trial_timeout=spec.resources.trial_timeout,
            chance_loss=study.chance_loss,
        )
    )
    trials = _run(
        study,
        cluster,
        observer,
        source=RepeatedTrials(best, seeds),
        ledger=ledger,
        scheduler=SCHEDULERS["none"],
        record=Record(files, files.repeats, study.space, study.metric.mode),
        suffix="-repeats",
    )
    return StudyResult(trials, study.metric_name, spec.budget.max_epochs, ledger.reason)


def _run(
    study: Study,
    cluster: Cluster,
    observer: Observer,
    *,
    source: Source,
    ledger: TrialLedger,
    scheduler: Scheduler,
    record: Record,
    suffix: str = "",
) -> list[FinishedTrial]:
    spec = study.spec
    storage = spec.run.storage or str(study.folder)
    name = study.folder.name if spec.run.storage else record.files.ray.name
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
        worst=study.metric.worst,
    )
    total = ledger.progress().total
    each = spec.resources.trial
    slots = slot_counter(cluster, each, spec.resources.max_concurrent)
    gpus = gpu_counter(cluster, each, slots, total)
    # Where configs change in mid-training, the whole population takes turns.
    searcher = StudySearcher(source, (lambda: total) if scheduler.changes_configs else slots)
    stopper = StudyStopper(ledger)
    judge = scheduler.make(study.stopping)
    adapter = (
        OneByOne if scheduler.pauses else partial(InSequence, judge=Judge(judge, study.metric_name))
    )
    callback = adapter(
        ledger,
        record=record,
        tell=source.tell,
        observer=observer,
        searcher=searcher,
        alive=is_alive,
    )
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(StudyTrial, settings=settings, data=study.trial_data),
            partial(_resources, each.cpus, gpus),
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=judge if scheduler.pauses else None,
            num_samples=-1,  # the searcher says when there is nothing left
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=name + suffix,
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
    with _interruptible(ledger):
        tuner.fit()
    return record.trials


def _resources(
    cpus: float, gpus: Callable[[], float], config: dict[str, Any]
) -> tune.PlacementGroupFactory:
    """What Ray reserves for a trial; an attempt may need a larger share of a GPU."""
    share = max(gpus(), unpack(config)[1].gpus or 0.0)
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": share}])


@contextmanager
def _interruptible(ledger: TrialLedger) -> Iterator[None]:
    """The first Ctrl-C asks the study to stop; the second does what Ctrl-C always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(signum: int, frame: object) -> None:
        ledger.request("interrupt")
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
