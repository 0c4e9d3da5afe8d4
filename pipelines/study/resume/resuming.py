"""Prepares a study that goes on with a recorded search."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.record.lines import torn
from pipelines.record.trials import FinishedTrial
from pipelines.study.circumstances import versions
from pipelines.study.folders import resolve_storage
from pipelines.study.narrowing import bound_parameters, for_data, narrow
from pipelines.study.prepare import load_problem, network_of
from pipelines.study.references import import_space, import_trainable
from pipelines.study.resume.changes import changed, check_changes
from pipelines.study.resume.left import check_longer
from pipelines.study.resume.recorded_state import resumed
from pipelines.study.runs import Run, open_run, recorded_space
from pipelines.study.seeding import history_of
from pipelines.study.spec import StudySpec
from pipelines.study.study import Resumed, Study
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from search_spaces import SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.training.trainable import Trainable


def resume(
    folder: Path,
    spec: StudySpec | None = None,
    *,
    trainable: Trainable | None = None,
    space: SearchSpace | None = None,
) -> Study:
    """The study of the run in ``folder``, to go on with. This process must hold the run's lock.
    Nothing is written yet.

    Args:
        folder: The folder of the run.
        spec: The settings now; by default those of the record.
        trainable: The user's own function, if it cannot be imported as the record says.
        space: The user's own space, for the function in it that forbids configs.

    Raises:
        ValueError: for a run that cannot go on, and for a setting that must not change.
    """
    run = open_run(folder)
    spec = run.spec_in_place if spec is None else run.placed(_completed(run, spec, trainable))
    check_changes(run, changed(run.spec_in_place, spec))
    if SCHEDULERS[spec.stopping.scheduler].pauses:
        raise ValueError(
            f"`resume` {folder}: what `scheduler={spec.stopping.scheduler}` knows of its trials is "
            "not recorded; begin anew with `seed_from`"
        )
    if storage := spec.run.storage:
        spec = spec.but(run={"storage": resolve_storage(storage)})
    folds = _load_same_data(run, spec)
    if spec.problem.trainable and trainable is None:
        trainable = import_trainable(spec.problem.trainable)
    network = None if trainable is not None else network_of(spec)
    notes = [] if space else _check_own_space(run, network, folds[0])
    space = replace(run.space, forbid=space.forbid) if space else recorded_space(run)
    if network is not None and spec.space.max_parameters:
        space = bound_parameters(space, network, folds[0], spec.space.max_parameters)
    history: tuple[FinishedTrial, ...] = ()
    try:
        history, _ = history_of(spec, space, network, folds[0], run.learnt_from)
    except ValueError as error:
        notes.append(f"warning   the algorithm goes on without `seed_from`: {error}")
    before = resumed(run, spec)
    if spec.budget.trials < (begun := len(before.search.asked)):
        raise ValueError(f"`trials` {spec.budget.trials}: {begun} have begun already")
    trained = trainable if network is None else network
    assert trained is not None  # one of the two is set
    study = Study(
        spec=spec,
        space=space,
        trainable=trained,
        folds=folds,
        history=history,
        start_with=run.start_with,
        notes=(*notes, *_lines(run, spec, before)),
        resumed=before,
    )
    check_longer(study)
    return study


def _load_same_data(run: Run, spec: StudySpec) -> tuple[TrialData, ...]:
    """The data of ``spec``. Raises ``ValueError`` if they are not those that ``run`` searched."""
    folds = load_problem(spec)
    if folds[0].fingerprint != run.data.fingerprint:
        raise ValueError(
            f"`resume` {run.files.folder} searched other data: fingerprint "
            f"{run.data.fingerprint[:8]}, now that of {spec.problem.data} is "
            f"{folds[0].fingerprint[:8]}"
        )
    return folds


def _check_own_space(run: Run, network: Network | None, data: TrialData) -> list[str]:
    """Raises ``ValueError`` if the user's own space is not the one that was searched. Returns a
    line if it cannot be imported; none if the space that was searched came from elsewhere too."""
    reference, settings = run.spec.problem.space, run.spec.space
    if not reference or settings.zoom_from or settings.lr_range_test or settings.batch_size_test:
        return []
    try:
        own = import_space(reference)
    except ValueError as error:
        return [f"note      the search goes on in the recorded space: {error}"]
    own = narrow(
        own if network is None else for_data(own, network, data), settings.fix, settings.range
    )
    was, now = run.space.domains, own.domains
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            raise ValueError(
                f"`resume` {run.files.folder} searched with {name} = {was.get(name)!r}, not "
                f"{now.get(name)!r}, as {reference} has it now"
            )
    return []


def _completed(run: Run, spec: StudySpec, trainable: Trainable | None) -> StudySpec:
    """``spec`` with what a search adds to its settings, where ``spec`` leaves it out: the metric,
    the run's name, and the name of a function that is given."""
    problem: dict[str, Any] = {"metric": spec.problem.metric or run.metric}
    if trainable is not None:
        problem["trainable"] = spec.problem.trainable or run.spec.problem.trainable
    return spec.but(problem=problem, run={"name": spec.run.name or run.spec.run.name})


def _lines(run: Run, spec: StudySpec, resumed: Resumed) -> Iterator[str]:
    """The lines that say where the search goes on, and what has changed."""
    before = resumed.search
    on = [trial for trial in before.unfinished if trial.attempt.trial_id in before.trained_on]
    running = [trial for trial in before.unfinished if trial not in on]
    saved = sum(trial.attempt.checkpoint is not None for trial in running)
    parts = [f"{len(before.ended) + len(on)} trials have ended"]
    if running:
        parts.append(f"{len(running)} were running, {saved} of them with a checkpoint")
    if on:
        parts.append(f"the best {len(on)} are trained on")
    yield f"resumed   {run.files.folder}: {', '.join(parts)}"
    for storage, why in resumed.unreachable.items():
        yield f"warning   checkpoints in {storage} are not used because it cannot be reached: {why}"
    if short := len(run.repeated) - len(resumed.repeats.trials):
        yield f"note      {short} repeats had fewer epochs and do not count: they are trained again"
    for path in run.files.appended:
        if cut := torn(path):
            ends = "; the trial goes on" if path.suffix == ".journal" else ""
            yield f"repaired  {path.name}: its last line was cut short, {cut} bytes{ends}"
    last = run.sessions[-1] if run.sessions else None
    if last and last.ended is None and last.host != socket.gethostname():
        yield f"warning   the record has no end: make sure that no driver runs on {last.host}"
    most = ALGORITHMS[spec.search.algo].asked_again
    if len(before.asked) > most:
        yield (
            f"algorithm {spec.search.algo} learns from the {len(before.asked)} trials anew: with "
            f"more than {most}, its random numbers are not those of an unbroken search"
        )
    now = versions()
    other = [
        f"{name} {was} (now {now[name]})"
        for name, was in run.versions.items()
        if was != now.get(name, was)
    ]
    if other:
        yield f"warning   the run began with {', '.join(other)}: its trials may not be repeatable"
