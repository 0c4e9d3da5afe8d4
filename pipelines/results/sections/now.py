"""The state of a search while it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pipelines.record.live import Live
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.findings import running_trials
from pipelines.results.page.model import Block, Numbers, Section, Table, Words
from pipelines.study.runs import Run

MOST_ROWS = 20


def now(run: Run, live: Live) -> Section:
    """The state in numbers, and the running trials."""
    return Section("now", "Now", list(_blocks(run, live)))


def _blocks(run: Run, live: Live) -> Iterator[Block]:
    score, space = run.metric, run.space
    searches = live.phase == "search"
    if not searches:
        yield Words("The search is over. The best configs train again, with other seeds.")
    yield Numbers(list(_numbers(live, score)))
    if searches and live.best_config and (run.best is None or run.best.value != live.best):
        # Of trials with equal scores, What came out names the best.
        yield Words(f"Config of the best: {wording.config(space.without_idle(live.best_config))}")
    running = running_trials(run) if searches else live.trials
    if not running:
        if not live.running:  # they may have reported nothing yet
            yield Words("No trial is running.", "note")
        return
    rows = running[:MOST_ROWS]
    shared = _shared(running)
    if told := {name: value for name, value in shared.items() if name not in space.idle}:
        yield Words(f"All have: {wording.config(told)}")
    left_out = {*shared, *space.idle}
    numbers = {t.trial_id: number for number, t in enumerate([*run.finished, *running])}
    yield Table(
        ["trial", "id", "epoch", score, "best", "running for", "config"],
        [
            [
                str(numbers.get(trial.repeat_of or trial.trial_id, "")),
                *_row(trial, run.spec.budget.max_epochs, left_out),
            ]
            for trial in rows
        ],
    )
    if len(running) > MOST_ROWS:
        yield Words(f"And {len(running) - MOST_ROWS} more.", "note")


def _numbers(live: Live, score: str) -> Iterator[tuple[str, str]]:
    searches = live.phase == "search"
    yield "trials" if searches else "repeats", f"{live.finished} of {live.total}"
    if searches and live.best is not None:  # a single repeat is not compared
        yield f"best {score}", shown_score(live.best)
    yield "running", f"{live.running} in {wording.count(live.slots, 'slot')}"
    if live.paused:
        yield "paused", str(live.paused)
    for name in ("stopped", "diverged", "failed", "infeasible"):
        if n := getattr(live, name):
            yield name, str(n)
    rate = live.epochs_per_second
    yield "epochs", f"{live.epochs}" if rate is None else f"{live.epochs}, {rate:.3g} a second"
    if searches and live.suggestion_seconds is not None:
        yield "a suggestion takes", f"{1000 * live.suggestion_seconds:.3g} ms"
    left = live.seconds_left
    more = "" if left is None else f", about {wording.duration(left)} left"
    yield "time", f"{wording.duration(live.seconds)}{more}"


def _shared(trials: Sequence[FinishedTrial]) -> Mapping[str, object]:
    """The values that all configs share; nothing if there is only one trial."""
    if len(trials) < 2:
        return {}
    first = trials[0].config
    return {
        name: value
        for name, value in first.items()
        if all(name in t.config and t.config[name] == value for t in trials)
    }


def _row(trial: FinishedTrial, max_epochs: int, shared: Collection[str]) -> list[str]:
    last = trial.curve[trial.epochs] if trial.curve else None
    config = {name: value for name, value in trial.config.items() if name not in shared}
    return [
        trial.trial_id,
        f"{trial.epochs} of {max_epochs}",
        "" if last is None else shown_score(last),
        "" if trial.value is None else f"{shown_score(trial.value)} at {trial.best_epoch}",
        wording.duration(trial.seconds),
        wording.config(config),
    ]
