"""Runs a study on Ray Tune."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ray.tune.execution import class_cache

from pipelines.cluster.machines import Cluster
from pipelines.cluster.places import clear, parent_name
from pipelines.cluster.room import room
from pipelines.record.files import RunFiles
from pipelines.record.live import remove_live
from pipelines.record.lock import holding
from pipelines.record.patience import StorageError, storage_reason
from pipelines.record.sessions import address_here, read_sessions, working
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record, mend, start_run
from pipelines.study.folders import claiming
from pipelines.study.interrupts import Interrupted, interruptible
from pipelines.study.result import StudyResult
from pipelines.study.study import Study
from pipelines.study.wiring import Part, make_tuner
from pipelines.tuner import deaths
from pipelines.tuner.kept import KEPT
from pipelines.tuner.ledger.before import Before
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.progress import Observer
from pipelines.tuner.ledger.reports import Rules
from pipelines.tuner.rebuilding import resumed_sampler
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from pipelines.tuner.sources import RepeatedTrials, SampledTrials

# Ray Tune sets a variable for PyTorch Lightning by default. With it, Ray would start new processes
# and not use those that it has ready.
class_cache.DEFAULT_ENV_VARS.clear()
deaths.expect_all()


def run_study(study: Study, cluster: Cluster, observer: Observer) -> StudyResult:
    """Search on the connected cluster, or go on with a search. The record is written to
    ``study.folder`` while it runs.

    Raises:
        ValueError: if the folder, or one of its name in the storage, exists; if the algorithm
            refuses the space (a grid larger than the number of trials); if another process works on
            a search that is to go on.
    """
    spec, files = study.spec, RunFiles(study.folder)
    before = study.resumed.search if study.resumed else None
    worst = study.metric.worst
    if before is None:
        sampler = make_sampler(spec.search.algo, study.problem, worst)
        storage = spec.run.storage
        with claiming(storage, study.folder) if storage else nullcontext():
            start_run(files, spec.model_dump(mode="json"), study.prepared(), study.preprocessing)
    else:
        sampler, is_same = resumed_sampler(spec.search.algo, study.problem, worst, before)
        if not is_same:
            _say_it_is_another(spec.search.algo, before)
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
        source = SampledTrials(sampler, spec.budget.trials - asked, spec.search.seed)
        return _run(
            study, cluster, observer, Part("search", source, study.scheduler, before), rules
        )


def run_again(
    study: Study, best: list[FinishedTrial], cluster: Cluster, observer: Observer
) -> StudyResult:
    """Train the configs of the ``best`` trials again, each for all its epochs and with as many
    seeds as ``study`` asks for. The search has used none of these seeds. The record keeps the
    repeats apart from the trials."""
    spec = study.spec
    assert spec.budget.repeats is not None
    before = study.resumed.repeats if study.resumed else None
    first = spec.search.seed + 1
    seeds = range(first, first + spec.budget.repeats)
    done = {(asked.repeat_of, asked.seed) for asked in before.asked} if before else set()
    wanted = {(trial.trial_id, seed) for trial in best for seed in seeds}
    rules = Rules(
        metric=study.metric_name,
        trials=len(done | wanted),  # with repeats of configs that were among the best before
        max_failures=spec.resources.max_failures,
        trial_timeout=spec.resources.trial_timeout,
        chance_loss=study.chance_loss,
        saves_last=True,
        requirements=study.goals.requirements,
        size=study.network_size,
    )
    with holding(RunFiles(study.folder)):
        source = RepeatedTrials(best, seeds, done)
        part = Part("repeats", source, SCHEDULERS["none"], before)
        return _run(study, cluster, observer, part, rules)


def _run(
    study: Study, cluster: Cluster, observer: Observer, part: Part, rules: Rules
) -> StudyResult:
    files, before = RunFiles(study.folder), part.before
    search = part.name == "search"
    events = files.events if search else files.repeats_events
    if study.resumed is not None:
        mend(files, study.resumed.killed)
    changes = study.resumed.changes if study.resumed else {}
    address = None if cluster.launched else cluster.address  # a launched one is left by `fetch`
    with working(files, part.name, changes, address) as session:
        if study.resumed is not None and not study.resumed.repeats.asked:
            _forget_repeats(files)
        elif "repeats" in changes.get("budget", {}):
            # The weights are a copy of a repeat's, and it may be no winner now: see crown().
            files.weights.unlink(missing_ok=True)
        ledger = TrialLedger(rules, before=before)
        record = Record(
            files,
            files.journal if search else files.repeats,
            study.space,
            study.goals,
            events=None if part.scheduler.pauses else events,
            before=before.trials if before else (),
        )
        place = part.place(study)
        if before is not None:
            going_on = (trial.attempt.checkpoint or "" for trial in before.unfinished)
            clear(place.storage, place.folder, [KEPT, *map(parent_name, going_on)])
        try:
            with room():
                tuner = make_tuner(study, cluster, observer, part, ledger, record)
            with interruptible(ledger.request), _naming_the_disk():
                tuner.fit()
        except Interrupted as error:
            session.by = error.reason
            raise
        finally:
            record.close()
            remove_live(files)
        if not ledger.reason:  # all is done, and what Ray left is not needed any more
            clear(place.storage, place.folder, [KEPT])
        session.by = ledger.reason
    most, also = study.spec.budget.max_epochs, study.goals.aims[1:]
    return StudyResult(record.trials, study.metric_name, most, ledger.reason, also)


def end_run(study: Study, last: str) -> None:
    """Everything is trained, but the driver was killed before it could note that: note it
    in a new session of the part ``last``, and remove the files that the driver has left."""
    assert study.resumed is not None
    files, before, nothing = RunFiles(study.folder), study.resumed, RepeatedTrials((), ())
    mend(files, before.killed)
    address = address_here(read_sessions(files))  # for the commands that the page shows
    with working(files, last, before.changes, address) as session:
        remove_live(files)
        for name, its in (("search", before.search), ("repeats", before.repeats)):
            place = Part(name, nothing, study.scheduler, its).place(study)
            if not its.unfinished:
                clear(place.storage, place.folder, [KEPT])
        session.by = ""


def _forget_repeats(files: RunFiles) -> None:
    """Delete the weights of all repeats, when none of these counts any more because they were
    shorter trainings; also those of the winner, which are a copy."""
    if files.repeated_weights.is_dir():
        files.weights.unlink(missing_ok=True)
        shutil.rmtree(files.repeated_weights)


def _say_it_is_another(algo: str, before: Before) -> None:
    if len(before.asked) <= ALGORITHMS[algo].asked_again:  # for more, resume() prints a line
        print(
            f"warning   {algo} does not suggest the same trials again: it goes on with their "
            "results, and with other random numbers",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def _naming_the_disk() -> Iterator[None]:
    """End the search with one line if the disk was full for a minute, whatever Ray Tune raises."""
    try:
        yield
    except Exception as error:
        if not (reason := storage_reason(error)):
            raise
        raise StorageError(f"the search has stopped because it cannot write: {reason}") from error
