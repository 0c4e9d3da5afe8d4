"""The state of a run, in a sentence at the top of its page."""

from __future__ import annotations

import time

from pipelines.record.live import Live
from pipelines.results import wording
from pipelines.results.endings import unfinished
from pipelines.study.runs import Run


def standing(run: Run) -> str:
    """Whether the search runs or has ended, and whether it has done all that it was asked for."""
    if run.live is not None:
        return _gone(run, run.live) if run.live.is_over else _running(run.live)
    trials = wording.count(len(run.finished), "trial")
    return unfinished(run) or f"{trials}; the search is over."


def _running(live: Live) -> str:
    what = "search runs" if live.phase == "search" else "search is over, the best configs run again"
    words = f"The {what}: {live.finished} of {live.total} trials have finished, {live.running} run."
    if not live.is_late:
        return words
    silent = wording.duration(live.age)
    return f"{words} No news of it for {silent}: the driver is busy, or cannot write its files."


def _gone(run: Run, live: Live) -> str:
    when = time.strftime("%d %b %H:%M:%S", time.localtime(live.at))
    command = f"python pipelines/run.py --resume {run.files.folder}"
    return (
        f"The search ended without a word at {when}: {len(run.finished)} of {live.total} trials "
        f"have finished, {live.running} were running. To go on: {command}"
    )
