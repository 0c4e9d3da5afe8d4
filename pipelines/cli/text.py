"""Formats values, and prints lines on a console."""

from __future__ import annotations

import errno
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.cli.visible import visible
from pipelines.record.patience import naming
from pipelines.study.interrupts import leave_terminal, output_closed
from search_spaces import SearchSpace

LABEL = 10  # width of the label that a line begins with


class Terminal(Console):
    """The console of a command, which ends in good order if nobody reads its output any more.

    In a notebook it prints text, which the notebook wraps: Rich would make a block of HTML of each
    line, and cut long lines and underscores off.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(highlight=False, quiet=quiet, force_jupyter=False)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        output_closed()

    def _check_buffer(self) -> None:
        """Its terminal may have gone. The signal that says so follows, unless it is ignored."""
        try:
            super()._check_buffer()
        except OSError as error:
            if error.errno != errno.EIO or not leave_terminal():
                raise
            self.quiet = True


def is_terminal(console: Console) -> bool:
    """Whether ``console`` writes to a terminal, not to a file, a pipe or a notebook. With
    FORCE_COLOR, Rich alone says so of any file."""
    return console.is_terminal and console.file.isatty()


def print_plain(console: Console, line: str) -> None:
    """Print one line without markup. On a terminal it is wrapped, and indented after the label; a
    file or a pipe gets it as it is."""
    line = visible(line)
    if is_terminal(console):
        line = wrapped(line, console.width)
    with naming("the output"):
        console.print(Text(line), soft_wrap=True)


def wrapped(line: str, width: int) -> str:
    """``line`` wrapped to ``width``; lines after the first are indented by the width of a label."""
    if len(line) <= width:
        return line
    return textwrap.fill(
        line,
        max(width, 2 * LABEL),
        subsequent_indent=" " * LABEL,
        break_on_hyphens=False,
        break_long_words=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print each line with :func:`print_plain`."""
    for line in lines:
        print_plain(console, line)


def format_seconds(seconds: float) -> str:
    """As 1h05m, 2m03s or 4s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
    )


def format_config(config: Mapping[str, Any], space: SearchSpace | None = None) -> str:
    """As ``lr=0.1 n_layers=2``, without parameters that are idle in ``space``."""
    shown = config if space is None else space.without_idle(config)
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in shown.items()
    )
