"""What ends a search from outside: Ctrl-C, signals, and an output that nobody reads any more.

The first interruption asks the search to end in good order; the next one ends it at once.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

OUTPUT = "closed output"
_SIGNALS = {signal.SIGINT: "interrupt", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
EXIT_CODES = {
    **{name: 128 + number for number, name in _SIGNALS.items()},
    OUTPUT: 128 + signal.SIGPIPE,
}
"""The exit code for each reason in the record: what a shell shows for a process that was ended by
the signal of that reason."""

_asking: list[Callable[[str], None]] = []  # one per open `interruptible`, innermost last

_heard: list[tuple[list[signal.Signals], Callable[[int, FrameType | None], None]]] = []


class Interrupted(KeyboardInterrupt):
    """Nothing is running that could end in good order, or it must end at once."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_ONCE = "stopping  as soon as running trials are saved; once more to stop at once"
AT_THE_END = "stopping  as soon as the report is written; once more to stop at once"


@contextmanager
def interruptible(ask: Callable[[str], None] | None = None, once: str = _ONCE) -> Iterator[None]:
    """Inside, the first interruption calls ``ask`` with its reason, and prints the line ``once``.
    Any later one, and any one if ``ask`` is None, raises :class:`Interrupted` in the main
    thread."""

    was_asked, left = False, ""

    def come(reason: str) -> None:
        nonlocal ask, was_asked, left
        asked, ask = ask, None
        was_asked = asked is not None
        if asked is None:
            left = reason
            raise Interrupted(reason)
        asked(reason)

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        reason, first = _SIGNALS[signal.Signals(number)], ask is not None
        if first:
            come(reason)  # first: the next interruption may come during the line
        if number != signal.SIGHUP and (first or was_asked):
            _say(once if first else "stopping  at once")
        if not first:
            come(reason)

    _asking.append(come)
    before = {}
    if threading.current_thread() is threading.main_thread():
        # Whoever started this with nohup does not want it to end with the terminal.
        heard = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handle) for number in heard}
    _heard.append((list(before), handle))
    try:
        yield
    except KeyboardInterrupt as error:
        if left and not isinstance(error, Interrupted):  # Ray raises its own instead
            raise Interrupted(left) from error
        raise
    finally:
        _heard.pop()
        _asking.pop()
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def renew() -> None:
    """Set our handlers again: Ray, when it starts, sets a SIGTERM handler that prints a stack."""
    if _heard and threading.current_thread() is threading.main_thread():
        numbers, handle = _heard[-1]
        for number in numbers:
            signal.signal(number, handle)


def output_closed() -> None:
    """Nobody reads the output any more: discard further output, and ask the search to end.

    Raises :class:`Interrupted` if no search runs, or if it was asked before.
    """
    _to_nowhere(1)
    if not _asking:
        raise Interrupted(OUTPUT)
    _asking[-1](OUTPUT)


def _say(line: str) -> None:
    with suppress(OSError, ValueError):  # the output may be closed
        try:
            print(line, flush=True)
        except RuntimeError:  # the signal came in the middle of another line
            os.write(1, f"{line}\n".encode())


def leave_terminal() -> bool:
    """Discard output to a terminal that has gone: each line would raise an error. Returns whether
    there was one."""
    found = False
    for stream in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):  # once it has gone, isatty() is False
                _to_nowhere(stream)
                found = True
    return found


def _to_nowhere(stream: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)
