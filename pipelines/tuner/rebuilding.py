"""Rebuilds an algorithm and a scheduler as they were when the driver of their search ended.

No Python object is kept on disk. Instead, the algorithm is asked for the same trials again and told
the same results, and the scheduler is told the same epochs, all in the order of the record. Both
then decide as if the search had not been interrupted.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from pipelines.record.events import Asked, Ended, Reported, TriedAgain
from pipelines.record.trials import FinishedTrial, State, latest
from pipelines.tuner.ledger.before import Before
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.samplers import Problem, Sampler
from pipelines.tuner.scheduling.judge import Judge
from search_spaces import Config


def tell_again(judge: Judge, before: Before) -> None:
    """Tell ``judge`` again what was reported, in the same order."""
    entries = _by_trial(before.entries)
    configs = {event.trial_id: event.config for event in before.asked}
    going_on = {trial.attempt.trial_id for trial in before.unfinished}
    # The scheduler was told of all epochs of a longer training, also where that does not count.
    reached = {t.trial_id: inf if t.trained_on_in_vain else t.epochs for t in before.trials}
    judged: set[str] = set()
    for event in before.events:
        trial_id = event.trial_id
        if isinstance(event, Reported):
            if trial_id not in judged:
                judged.add(trial_id)
                judge.start(trial_id, configs[trial_id])
            if trial_id in going_on:
                for epoch, value in event.values.items():
                    if judge.stops(trial_id, epoch, value):
                        break
            else:
                for epoch, value in event.values.items():
                    if epoch <= reached[trial_id]:
                        judge.hears(trial_id, epoch, value)
        elif isinstance(event, TriedAgain) and trial_id in judged:
            judged.discard(trial_id)
            judge.fail(trial_id)
        elif isinstance(event, Ended):
            entry = entries[trial_id].popleft()
            if trial_id in judged:
                judged.discard(trial_id)
                (judge.fail if entry.state is State.FAIL else judge.end)(trial_id)


def resumed_sampler(
    algo: str, problem: Problem, worst: float, before: Before
) -> tuple[Sampler, bool]:
    """The algorithm as it was, and whether it is exactly the same.

    It is exactly the same if it is asked for all trials again and answers with their configs. If it
    does not (its library has another version), or if asking would take too long, it only learns
    from the finished trials, and the others are pending.
    """
    if len(before.asked) <= ALGORITHMS[algo].asked_again:
        sampler = make_sampler(algo, problem, worst)
        if all(config == asked.config for config, asked in _ask_again(sampler, before)):
            return sampler, True
    told = before.told
    names = [(trial.attempt.trial_id, trial.config) for trial in before.unfinished]
    waiting = [(name, config) for name, config in names if name not in told]
    ended = [entry for entry in latest(before.entries) if entry.trial_id in told]
    primed = replace(problem, history=(*problem.history, *ended))
    asked = [event.config for event in before.asked]
    return make_sampler(algo, primed, worst, waiting, asked), False


def _ask_again(sampler: Sampler, before: Before) -> Iterator[tuple[Config | None, Asked]]:
    entries = _by_trial(before.entries)
    told: set[str] = set()
    for event in before.events:
        if isinstance(event, Asked):
            yield sampler.ask(event.trial_id), event
        elif isinstance(event, Ended):
            entry = entries[event.trial_id].popleft()
            if event.trial_id not in told:  # a trial that was trained on has ended twice
                told.add(event.trial_id)
                sampler.tell(entry)


def _by_trial(entries: Sequence[FinishedTrial]) -> dict[str, deque[FinishedTrial]]:
    """For each trial, the entries with which it ended by itself."""
    found: dict[str, deque[FinishedTrial]] = defaultdict(deque)
    for entry in entries:
        if not entry.cut_short:
            found[entry.trial_id].append(entry)
    return found
