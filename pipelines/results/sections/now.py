"""How the search stands while it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pipelines.record.live import Live
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.page.model import Block, Numbers, Section, Table, Words
from search_spaces import SearchSpace

MOST_ROWS = 20


def now(live: Live, score: str, max_epochs: int, space: SearchSpace) -> Section:
    """In numbers, and what runs."""
    return Section("now", "Now", list(_blocks(live, score, max_epochs, space)))


def _blocks(live: Live, score: str, max_epochs: int, space: SearchSpace) -> Iterator[Block]:
    if live.phase == "repeats":
        yield Words("The search is over. The best configs train again, with other seeds.")
    yield Numbers(list(_numbers(live, score)))
    if live.best_config:
        yield Words(f"Config of the best: {wording.config(space.without_idle(live.best_config))}")
    if not live.trials:
        yield Words("No trial runs.", "note")
        return
    rows = live.trials[:MOST_ROWS]
    shared = {*_shared(rows), *space.idle}
    yield Table(
        ["running", "epoch", score, "best", "since", "config"],
        [_row(trial, max_epochs, shared) for trial in rows],
    )
    if len(live.trials) > MOST_ROWS:
        yield Words(f"And {len(live.trials) - MOST_ROWS} more.", "note")


def _numbers(live: Live, score: str) -> Iterator[tuple[str, str]]:
    yield "trials", f"{live.finished} of {live.total}"
    if live.best is not None:
        yield f"best {score}", shown_score(live.best)
    yield "running", f"{live.running} in {wording.count(live.slots, 'slot')}"
    if live.paused:
        yield "paused", str(live.paused)
    for name in ("stopped", "diverged", "failed", "infeasible"):
        if n := getattr(live, name):
            yield name, str(n)
    rate = live.epochs_per_second
    yield "epochs", f"{live.epochs}" if rate is None else f"{live.epochs}, {rate:.3g} a second"
    if live.suggestion_seconds is not None:
        yield "a suggestion takes", f"{1000 * live.suggestion_seconds:.3g} ms"
    left = live.seconds_left
    more = "" if left is None else f", about {wording.duration(left)} left"
    yield "time", f"{wording.duration(live.seconds)}{more}"


def _shared(trials: tuple[FinishedTrial, ...]) -> Mapping[str, object]:
    """What all their configs have in common; nothing where there is one alone."""
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
