"""The state of a run, in a sentence at the top of its page."""

from __future__ import annotations

import time

from pipelines.record.live import Live
from pipelines.results import wording
from pipelines.results.endings import unfinished
from pipelines.results.sections.again import how_to_go_on
from pipelines.study.runs import Run


def standing(run: Run) -> str:
    """Whether the search runs or has ended, and whether it has done all that it was asked for."""
    if run.live is not None:
        return _gone(run, run.live) if run.live.is_over else _running(run.live)
    trials = wording.count(len(run.finished), "trial")
    return unfinished(run) or f"{trials}; the search is over."


def _running(live: Live) -> str:
    thing, what = "trials", "search runs"
    if live.phase == "repeats":
        thing, what = "repeats", "search is over, the best configs run again"
    done = f"{live.finished} of {live.total} {thing} have finished"
    words = f"The {what}: {done}, {live.running} {'runs' if live.running == 1 else 'run'}."
    if not live.is_late:
        return words
    silent = wording.duration(live.age)
    return f"{words} No news of it for {silent}: the driver is busy, or cannot write its files."


def _gone(run: Run, live: Live) -> str:
    when = time.strftime("%d %b %H:%M:%S", time.localtime(live.at))
    paused = f", {_were(live.paused)} paused" if live.paused else ""
    left = f"{_were(live.running)} running{paused}. {how_to_go_on(run, paused=live.paused > 0)}"
    if live.phase == "repeats":
        trials = wording.count(len(run.finished), "trial")
        done = f"{len(run.repeated)} of {live.total} repeats of the best configs have finished"
        return (
            f"The search of {trials} was over. Its driver ended without a word at {when}: {done}, "
            f"{left}"
        )
    done = f"{len(run.finished)} of {live.total} trials have finished"
    return f"The search ended without a word at {when}: {done}, {left}"


def _were(n: int) -> str:
    return f"{n} was" if n == 1 else f"{n} were"
