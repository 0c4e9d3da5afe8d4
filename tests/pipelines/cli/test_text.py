"""What a search prints, at the width of a terminal."""

from __future__ import annotations

import errno
import io
import os
from typing import Any

import pytest
from rich.console import Console

from pipelines.cli import display
from pipelines.cli.display import Display, progress_line
from pipelines.cli.text import format_seconds, print_plain, wrapped
from pipelines.tuner.ledger.progress import Incumbent, Progress
from tests.pipelines.tty import Tty

FULL = Progress(
    total=10_000,
    finished=4321,
    running=64,
    stopped=3210,
    diverged=321,
    failed=21,
    best=-999.1234,
    seconds=7260,
)


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("progress", [FULL, Progress(total=40), Progress(40, 27, 2, 25, best=0.98)])
def test_the_time_left_is_never_cut_off(progress: Progress, width: int) -> None:
    line = progress_line(progress, width)
    assert len(line) <= width
    assert line.endswith(("left", "left -"))
    assert "best" in line


@pytest.mark.parametrize("width", [20, 33, 40])
def test_no_part_of_a_progress_line_is_cut_in_the_middle(width: int) -> None:
    line = progress_line(FULL, width)
    assert len(line) <= max(width, len("4321/10000 done  best -999.1234"))
    assert set(line.split("  ")) < set(progress_line(FULL).split("  "))
    usual = progress_line(Progress(40, 27, 2, 25, best=0.98, seconds=10), 40)
    assert usual == "27/40 done  best 0.9800  5s left"


def test_at_80_columns_a_usual_line_is_whole() -> None:
    usual = Progress(total=40, finished=27, running=2, stopped=25, best=0.9861, seconds=10)
    assert progress_line(usual, 80) == progress_line(usual)


def test_of_repeats_no_single_one_is_shown_as_the_best() -> None:
    line = progress_line(Progress(9, 4, 2, best=0.98, seconds=10), repeats=True)
    assert line.startswith("4/9 repeats done")
    assert "best" not in line


def terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    shown = Tty()
    return Console(file=shown, force_terminal=True, width=width, highlight=False), shown


def test_long_lines_are_wrapped_on_a_terminal_and_whole_in_a_pipe() -> None:
    line = "config    " + " ".join(f"parameter_{n}={n}" for n in range(20))
    console, shown = terminal()
    print_plain(console, line)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(rest.startswith(" " * 10) for rest in lines[1:])
    assert " ".join("".join(lines).split()) == " ".join(line.split())
    pipe = io.StringIO()
    print_plain(Console(file=pipe), line)
    assert pipe.getvalue() == f"{line}\n"


@pytest.mark.parametrize(
    ("file", "environ"),
    [(io.StringIO(), {"FORCE_COLOR": "1"}), (Tty(), {"TERM": "dumb"})],
    ids=["a log with FORCE_COLOR", "a dumb terminal"],
)
def test_only_a_terminal_that_moves_its_cursor_has_a_live_line(
    file: io.StringIO, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_PLAIN_EVERY", 0.0)
    console = Console(file=file, width=80, _environ=environ)
    with Display(console, "val_accuracy") as shown:
        shown.progress(Progress(total=40, running=2, best=0.5, seconds=1.0))
    first, second = file.getvalue().splitlines()
    assert first == "waiting   for the first epoch: processes start"
    assert second.startswith("0/40 done  2 running")


def test_with_force_color_the_lines_of_a_log_are_whole() -> None:
    file, line = io.StringIO(), "config    " + "parameter=1 " * 20
    print_plain(Console(file=file, width=80, _environ={"FORCE_COLOR": "1"}), line)
    assert file.getvalue() == f"{line}\n"


def test_a_word_that_is_too_long_is_not_cut() -> None:
    assert wrapped(f"run       {'x' * 100}", 80).split() == ["run", "x" * 100]


def shown_by(display_of: Any, *, live: bool) -> str:
    file = Tty() if live else io.StringIO()
    console = Console(file=file, force_terminal=live, width=80)
    with Display(console, "val_accuracy") as display:
        display_of(display)
    return file.getvalue()


@pytest.mark.parametrize("live", [True, False])
def test_it_says_what_is_waited_for(live: bool) -> None:
    shown = shown_by(lambda display: display.progress(Progress(total=40, seconds=1.0)), live=live)
    assert "for the first epoch" in shown


def test_the_config_of_the_same_trial_is_said_once() -> None:
    def two(display: Display) -> None:
        for epoch in (1, 2):
            display.new_best(Incumbent("a", {"lr": 0.1}, 0.5 + epoch / 10, epoch))

    first, second = shown_by(two, live=False).splitlines()[1:]
    assert first == "new best  val_accuracy 0.6000  epoch 1  lr=0.1"
    assert second == "new best  val_accuracy 0.7000  epoch 2  (same trial)"


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4s"), (63, "1m03s"), (3661, "1h01m"), (59.7, "1m00s")]
)
def test_times(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "\x1b]0;title\x07", "a\nb", "a\rb", "\x9b2J", "\u202eright", "\udc80"]
)
def test_nothing_that_is_printed_moves_or_colours_a_terminal(text: str, terminal: bool) -> None:
    stream = Tty() if terminal else io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=60, highlight=False)
    print_plain(console, f"data      {text}: 3 rows")
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert line == f"data      {ascii(text)[1:-1]}: 3 rows"


def test_of_an_output_that_is_full_the_error_says_so() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left on device: 'the output'"):
        print_plain(Console(file=Full()), "line")
