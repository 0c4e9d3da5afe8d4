"""Goes on with a search: which settings may change, and how far the search had come."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.cluster.places import find_in, why_unreachable
from pipelines.record.events import Asked, Event, read_events
from pipelines.record.journal import load_entries
from pipelines.record.lines import torn
from pipelines.record.live import Live
from pipelines.record.sessions import KILLED, Session
from pipelines.record.trials import FinishedTrial, State, latest, ranked
from pipelines.study.circumstances import versions
from pipelines.study.folders import resolve_storage
from pipelines.study.left import check_longer
from pipelines.study.narrowing import bound_parameters, for_data, narrow
from pipelines.study.prepare import load_problem, network_of
from pipelines.study.references import import_space, import_trainable
from pipelines.study.runs import Run, open_run, recorded_space
from pipelines.study.seeding import load_history
from pipelines.study.spec import StudySpec
from pipelines.study.study import Resumed, Study
from pipelines.tuner.algorithms import ALGORITHMS
from pipelines.tuner.before import Before, Unfinished, matched, to_train_on, unfinished
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.schedulers import SCHEDULERS
from pipelines.tuner.trial import Trainable
from search_spaces import SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.training.metrics import METRICS

MAY_CHANGE = {
    "budget": ("trials", "max_epochs", "time_budget", "target_value", "repeats", "keep"),
    "resources": ("gpus_per_trial", "max_concurrent"),
    "run": ("storage",),
}


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
    changes = changed(run.spec_in_place, spec)
    check_changes(run, changes)
    if SCHEDULERS[spec.stopping.scheduler].pauses:
        raise ValueError(
            f"`resume` {folder}: what `scheduler={spec.stopping.scheduler}` knows of its trials is "
            "not recorded; begin anew with `seed_from`"
        )
    if storage := spec.run.storage:
        spec = spec.but(run={"storage": resolve_storage(storage)})
    folds = load_problem(spec)
    if folds[0].fingerprint != run.data.fingerprint:
        raise ValueError(
            f"`resume` {folder} searched other data: fingerprint {run.data.fingerprint[:8]}, now "
            f"that of {spec.problem.data} is {folds[0].fingerprint[:8]}"
        )
    if spec.problem.trainable and trainable is None:
        trainable = import_trainable(spec.problem.trainable)
    network = None if trainable is not None else network_of(spec)
    notes = [] if space else _check_own_space(run, network, folds[0])
    space = replace(run.space, forbid=space.forbid) if space else recorded_space(run)
    if network is not None and spec.space.max_parameters:
        space = bound_parameters(space, network, folds[0], spec.space.max_parameters)
    history: tuple[FinishedTrial, ...] = ()
    if seed_from := spec.space.seed_from:
        try:
            size = None if network is None else partial(network.size, data=folds[0])
            goals, fingerprint = spec.problem.goals, run.data.fingerprint
            history, _ = load_history(
                seed_from,
                space,
                goals,
                fingerprint,
                size,
                run.learnt_from,
                split_seed=spec.split_seed,
            )
        except ValueError as error:
            notes.append(f"warning   the algorithm goes on without `seed_from`: {error}")
    before = resumed(run, spec)
    _check_enough(spec, before.search)
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


def resumed(run: Run, spec: StudySpec) -> Resumed:
    """How far ``run`` had come, to go on with the settings ``spec``."""
    storages = _storages(run, spec)
    asked = {storage: why_unreachable(storage) for storage in dict(storages)}  # each once
    there = [(storage, name) for storage, name in storages if not asked[storage]]
    parts = {part: _before(run, spec, part, there) for part in ("search", "repeats")}
    killed = [session for session in run.sessions[-1:] if session.ended is None]
    ends = [_sessions(run, session.part, parts[session.part].events)[-1] for session in killed]
    return Resumed(
        **parts,
        planned_trials=run.first_spec.budget.trials,
        changes=changed(run.spec_in_place, spec),
        killed=ends[0] if ends else None,
        unreachable={storage: why for storage, why in asked.items() if why},
    )


def changed(before: StudySpec, now: StudySpec) -> dict[str, dict[str, Any]]:
    """The changed settings, by group and field, with their new values."""
    was, found = before.model_dump(mode="json"), {}
    for group, fields in now.model_dump(mode="json").items():
        other = {name: value for name, value in fields.items() if value != was[group][name]}
        if other:
            found[group] = other
    return found


def _completed(run: Run, spec: StudySpec, trainable: Trainable | None) -> StudySpec:
    """``spec`` with what a search adds to its settings, where ``spec`` leaves it out: the metric,
    the run's name, and the name of a function that is given."""
    problem: dict[str, Any] = {"metric": spec.problem.metric or run.metric}
    if trainable is not None:
        problem["trainable"] = spec.problem.trainable or run.spec.problem.trainable
    return spec.but(problem=problem, run={"name": spec.run.name or run.spec.run.name})


def check_changes(run: Run, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ``ValueError`` for the first change that is not allowed when a run goes on."""
    was, defaults = (s.model_dump(mode="json") for s in (run.spec, StudySpec()))
    for group, fields in changes.items():
        for name, value in fields.items():
            if name not in MAY_CHANGE.get(group, ()):
                folder, hint = run.files.folder, ""
                if value == defaults[group][name]:  # a setting that was left out, perhaps
                    hint = f", the default: in Python, give open_run({str(folder)!r}).spec.but(...)"
                raise ValueError(
                    f"`resume` {folder} has {name} = {was[group][name]}, and cannot go on with "
                    f"`{name}={value}`{hint}"
                )
    epochs = run.spec.budget.max_epochs
    if changes.get("budget", {}).get("max_epochs", epochs) < epochs:
        raise ValueError(
            f"`max_epochs` {changes['budget']['max_epochs']} is below {epochs}, which trials of "
            f"{run.files.folder} have trained"
        )


def _check_enough(spec: StudySpec, before: Before) -> None:
    asked = len(before.asked)
    if spec.budget.trials < asked:
        raise ValueError(f"`trials` {spec.budget.trials}: {asked} have begun already")


def _before(run: Run, spec: StudySpec, part: str, storages: Sequence[tuple[str, str]]) -> Before:
    files = run.files
    journal, path = (
        (files.journal, files.events) if part == "search" else (files.repeats, files.repeats_events)
    )
    entries = load_entries(journal) if journal.is_file() or path.is_file() else []
    events = matched(read_events(path), entries)
    sessions = _sessions(run, part, events)
    was, now = run.spec.budget.max_epochs, spec.budget.max_epochs
    if part == "repeats":  # with fewer epochs they cannot be compared: trained again
        asked = (event for event in events if isinstance(event, Asked))
        short = {event.trial_id for event in asked if run.max_epochs_at(event.at) < now}
        entries = [trial for trial in entries if trial.trial_id not in short]
        events = [event for event in events if event.trial_id not in short]
    going_on = unfinished(events, entries, run.metric)
    ended = ranked(
        [trial for trial in latest(entries) if trial.state is State.COMPLETE], METRICS[run.metric]
    )
    kept = _kept(storages, ended[: 2 * spec.budget.keep]) if part == "search" else {}
    # A driver that was killed early may have noted the new `max_epochs`, but not yet which trials
    # it trains on. So the epochs that a trial itself was planned for count, not those of the run.
    waiting = {trial.attempt.trial_id for trial in going_on}
    can = [t for t in ended if t.trial_id in kept and t.trial_id not in waiting]
    on = [trial for trial in can if trial.epochs == _planned(run, trial) < now]
    trained = {trial.trial_id: trial.epochs for trial in on}
    going_on += [to_train_on(t, run.metric, kept[t.trial_id], time.time()) for t in on]
    places = list(dict.fromkeys(storage for storage, _ in storages))
    located = [_located(trial, sessions, places) for trial in going_on]
    return Before(
        events=events,
        entries=entries,
        unfinished=[t.longer(trained.get(t.attempt.trial_id, was), now) for t in located],
        seconds=sum(session.worked for session in sessions),
        kept=kept,
        trained_on=list(trained),
    )


def _planned(run: Run, trial: FinishedTrial) -> int:
    """The epochs that ``trial`` was planned for last."""
    return max(trial.planned.values(), default=run.max_epochs_at(trial.started))


def _storages(run: Run, spec: StudySpec) -> list[tuple[str, str]]:
    """The storages of checkpoints, of now and of all earlier sessions, the latest first and each
    once; and the run's name in each."""
    then = [session.changes.get("run", {}).get("storage") for session in reversed(run.sessions)]
    storages = [spec.run.storage, *then, run.first_spec.run.storage]
    names = [spec.run.name or "", run.first_spec.run.name or ""]
    given = [(storage, name) for storage in storages if storage for name in names]
    return list(dict.fromkeys([*given, (str(run.files.folder.absolute()), "")]))


def _kept(storages: Sequence[tuple[str, str]], trials: Sequence[FinishedTrial]) -> dict[str, str]:
    """The ``trials`` whose state is kept, and its place in the first storage that has it."""
    places = [KeptStates(*pair) for pair in storages]
    found = {}
    for trial in trials:
        if states := next((states for states in places if states.has(trial)), None):
            found[trial.trial_id] = states.place(trial)
    return found


def _sessions(run: Run, part: str, events: Sequence[Event]) -> list[Session]:
    """The sessions of a part. One without an end counts as killed, at its last sign of life."""
    found: list[Session] = []
    for session in run.sessions:
        if session.part != part:
            continue
        if session.ended is None:
            worked = sum(before.worked for before in found)
            session = _killed(session, _live(run, session), worked, events)
        found.append(session)
    return found


def _killed(session: Session, live: Live | None, worked: float, events: Sequence[Event]) -> Session:
    """``session`` with its end. Its driver last noted an event, or its progress ``live``, as an
    epoch may take hours. Drivers before it had ``worked`` for so many seconds."""
    times = [session.begun, *(event.at for event in events[-1:])]
    if live is None:
        return replace(session, ended=max(times), by=KILLED)
    measured = round(max(0.0, live.seconds - worked), 3)
    return replace(session, ended=max(*times, live.at), by=KILLED, measured=measured)


def _live(run: Run, session: Session) -> Live | None:
    """The progress that the driver of ``session`` last noted."""
    here, live = (session.part, session.host, session.process), run.live
    if live is not None and here == (live.phase, live.driver.host, live.driver.pid):
        return live
    return None


def _located(trial: Unfinished, sessions: Sequence[Session], places: Sequence[str]) -> Unfinished:
    """``trial`` with the present place of its checkpoint, and how long it ran. Without a checkpoint
    it starts again."""
    ran = [(s, s.ended) for s in sessions if s.ended is not None and s.ended > trial.since]
    # By the clock on the wall, but no longer than the driver worked: the machine may have slept.
    seconds = sum(min(s.worked, ended - max(s.begun, trial.since)) for s, ended in ran)
    place = trial.attempt.checkpoint
    found = None if place is None else find_in(places, place)
    return replace(
        trial,
        attempt=replace(trial.attempt, checkpoint=found),
        seconds=trial.seconds + seconds,
        resumed=trial.resumed + max(1, len(ran)),
        metrics=trial.metrics if found else {},
    )


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
