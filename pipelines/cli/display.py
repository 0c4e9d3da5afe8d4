"""What a search shows while it runs and when it is over: a live line on a terminal, plain lines
elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipelines.search.attempts import Cause
from pipelines.search.progress import Incumbent, Progress
from pipelines.search.trials import FinishedTrial

_PLAIN_EVERY = 10.0  # seconds between progress lines where there is no terminal


class Display:
    """An observer of a study, as a context manager around it."""

    def __init__(self, console: Console, metric: str) -> None:
        self._console = console
        self._metric = metric
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._printed = time.monotonic()
        self._best_trial = ""

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def progress(self, progress: Progress) -> None:
        if self._console.is_terminal:
            self._live.update(Text(progress_line(progress), overflow="ellipsis", no_wrap=True))
        elif time.monotonic() - self._printed >= _PLAIN_EVERY:
            self._printed = time.monotonic()
            print_plain(self._console, progress_line(progress))

    def new_best(self, incumbent: Incumbent) -> None:
        same = incumbent.trial_id == self._best_trial
        self._best_trial = incumbent.trial_id
        config = "(same trial)" if same else format_config(incumbent.config)
        value = f"{self._metric} {incumbent.value:.4f}"
        print_plain(self._console, f"new best  {value}  epoch {incumbent.epoch}  {config}")

    def failed(self, trial: FinishedTrial) -> None:
        print_plain(self._console, f"failed    {trial.error}  {format_config(trial.config)}")

    def tried_again(self, trial_id: str, cause: Cause, epoch: int) -> None:
        where = f"goes on after epoch {epoch}" if epoch else "starts again"
        print_plain(self._console, f"again     trial {trial_id} {where}: {cause.value}")


def print_plain(console: Console, line: str) -> None:
    """One line, however long: not wrapped, no markup."""
    console.print(Text(line), soft_wrap=True)


def progress_line(progress: Progress) -> str:
    parts = [
        f"{progress.finished}/{progress.total} finished",
        f"{progress.running} running",
        f"{progress.stopped} stopped early",
        f"{progress.diverged} diverged",
    ]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts.append("best -" if progress.best is None else f"best {progress.best:.4f}")
    left = progress.seconds_left
    parts.append(f"{format_seconds(progress.seconds)} gone")
    parts.append("time left -" if left is None else f"{format_seconds(left)} left")
    return "  ".join(parts)


def format_seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
    )


def shown(path: Path) -> Path:
    """As one would type it: relative where it is below the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def format_config(config: Mapping[str, object]) -> str:
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in config.items()
    )
