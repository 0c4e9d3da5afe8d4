"""What a search shows while it runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipelines.cli.text import format_config, format_seconds, is_terminal, print_plain
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.tuner.attempts import Cause
from pipelines.tuner.ledger.progress import Incumbent, Progress
from search_spaces import SearchSpace

_PLAIN_EVERY = 10.0  # seconds between progress lines if there is no terminal
_SILENT = 300.0  # seconds without an epoch of any running trial, after which a line says so


class Display:
    """Prints the progress of a study: an observer, and a context manager around the study."""

    def __init__(
        self,
        console: Console,
        metric: str,
        space: SearchSpace | None = None,
        begun: Callable[[], None] = lambda: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        """``begun`` is called when the first trial has reported, ``ending`` shortly before the end
        of the search. Idle parameters of ``space`` are not shown."""
        self._begun: Callable[[], None] | None = begun
        self._ending: Callable[[], None] | None = ending
        self._console = console
        self._metric = metric
        self._space = space
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._printed = time.monotonic()
        self._best_trial = ""
        self._said: set[str] = set()
        self._silence = threading.Timer(_SILENT, self._say_silence)
        self._silence.daemon = True

    def __enter__(self) -> Display:
        if self._is_live:
            self._live.start()
            self._live.update(Text("waiting for the first epoch: processes start"))
        else:
            print_plain(self._console, "waiting   for the first epoch: processes start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._silence.cancel()
        if self._is_live:
            self._live.stop()

    @property
    def _is_live(self) -> bool:
        return is_terminal(self._console) and not self._console.is_dumb_terminal

    def progress(self, progress: Progress) -> None:
        if progress.running and self._silence.ident is None:
            self._silence.start()
        if not progress.seconds or (progress.best is None and not progress.finished):
            return
        if self._begun is not None:
            self._silence.cancel()
            self._begun()
            self._begun = None
        if self._ending is not None and progress.ends_soon:
            self._ending()
            self._ending = None
        if self._is_live:
            self._live.update(Text(self._line(progress, self._console.width), no_wrap=True))
        elif time.monotonic() - self._printed >= _PLAIN_EVERY:
            self._printed = time.monotonic()
            print_plain(self._console, self._line(progress))

    def _line(self, progress: Progress, width: int | None = None) -> str:
        return progress_line(progress, width)

    def _say_silence(self) -> None:
        """No trial is ended yet, because nobody knows how long an epoch takes."""
        minutes = f"{_SILENT / 60:g} minutes"
        print_plain(
            self._console,
            f"waiting   no trial has ended an epoch in {minutes}: epochs may take longer, or "
            "trials may hang; --trial-timeout 10m ends a trial whose epoch takes longer than that",
        )

    def new_best(self, incumbent: Incumbent) -> None:
        same = incumbent.trial_id == self._best_trial
        self._best_trial = incumbent.trial_id
        config = "(same trial)" if same else format_config(incumbent.config, self._space)
        value = f"{self._metric} {shown_score(incumbent.value)}"
        print_plain(self._console, f"new best  {value}  epoch {incumbent.epoch}  {config}")

    def failed(self, trial: FinishedTrial) -> None:
        config = format_config(trial.config, self._space)
        print_plain(self._console, f"failed    {trial.error}  {config}")

    def waits_for(self, what: str) -> None:
        print_plain(self._console, f"waiting   {what}")

    def warns(self, what: str) -> None:
        print_plain(self._console, f"warning   {what}")

    def tried_again(self, trial_id: str, cause: Cause, epoch: int, why: str) -> None:
        if cause is Cause.SPOILED:  # this may happen after every trial
            if why in self._said:
                return
            self._said.add(why)
        where = f"goes on after epoch {epoch}" if epoch else "starts again"
        fewer = ", with fewer at once" if cause is Cause.NO_MEMORY else ""
        print_plain(self._console, f"again     trial {trial_id} {where}{fewer}: {why}")


class RepeatsDisplay(Display):
    """Prints the progress of repeats, whose single values are no news: only their means count."""

    def new_best(self, incumbent: Incumbent) -> None: ...

    def _line(self, progress: Progress, width: int | None = None) -> str:
        return progress_line(progress, width, repeats=True)


def progress_line(progress: Progress, width: int | None = None, *, repeats: bool = False) -> str:
    """The progress of a study, or of its ``repeats``. The least important parts are left out to fit
    into ``width``."""
    left = progress.seconds_left
    counts = [
        f"{progress.running} running",
        f"{progress.stopped} stopped",
        f"{progress.diverged} diverged",
        *([f"{progress.failed} failed"] if progress.failed else []),
        *([f"{progress.infeasible} infeasible"] if progress.infeasible else []),
    ]
    gone = f"{format_seconds(progress.seconds)} gone"
    until = "time left -" if left is None else f"{format_seconds(left)} left"
    best = "best -" if progress.best is None else f"best {shown_score(progress.best)}"
    shown = [
        f"{progress.finished}/{progress.total} {'repeats ' if repeats else ''}done",
        *counts,
        *([] if repeats else [best]),
        gone,
        until,
    ]
    for part in (*reversed(counts), gone, until):
        if width is None or len("  ".join(shown)) <= width:
            break
        shown.remove(part)
    return "  ".join(shown)
