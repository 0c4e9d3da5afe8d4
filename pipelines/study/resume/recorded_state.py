"""How far a recorded run had come when its last driver ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from pipelines.cluster.places import find_in, why_unreachable
from pipelines.record.events import Asked, Event, read_events
from pipelines.record.journal import load_entries
from pipelines.record.live import Live
from pipelines.record.sessions import KILLED, Session
from pipelines.record.trials import FinishedTrial, State, latest, ranked
from pipelines.study.resume.changes import changed
from pipelines.study.runs import Run
from pipelines.study.spec import StudySpec
from pipelines.study.study import Resumed
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.ledger.before import Before, Unfinished, matched, to_train_on, unfinished
from trainables.training.metrics import METRICS


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
