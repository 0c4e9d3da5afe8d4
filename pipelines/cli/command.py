"""How a command is made from a function, and how it ends: the exit code, and an error as one line
on stderr."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, NoReturn

import cyclopts
import pydantic
from cyclopts import App, Parameter

from pipelines.cli.options import Options
from pipelines.cli.visible import visible
from pipelines.record.patience import StorageError, in_words, naming, storage_reason
from pipelines.study.interrupts import EXIT_CODES, OUTPUT, Interrupted, output_closed
from pipelines.study.settings import one_of

USAGE = 2
FAILURE = 1

_STDOUT, _STDERR = 1, 2


def command(function: Callable[..., Any]) -> App:
    """A command that takes the parameters of ``function`` as options, and exits with what it
    returns. A parameter that holds settings becomes one option per setting."""
    app = App(
        name=function.__name__.rstrip("_").replace("_", "-"),
        help_flags=["--help", "-h"],
        version_flags=[],
        help_format="plaintext",
        default_parameter=Parameter(
            negative="",
            allow_leading_hyphen=True,
            allow_repeating=True,  # the last one counts
            show_default=_default_shown,
        ),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # main() prints the message and sets the exit code
    )
    app["--help"].group = ""
    app.default(function)
    return app


def main(app: App, arguments: Sequence[str] | None = None) -> int:
    """Run ``app`` on ``arguments``, by default those of the command line; returns the exit code.

    A ``ValueError`` or a usage error is a mistake of the user: one line on stderr, exit code 2.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see `pipelines/cli/__init__.py`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # in an old locale, a name would end the command
        sys.stdout.reconfigure(errors="backslashreplace")
    options = Options()
    config, app.config = app.config, (options.read,)
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        with naming("the output"):
            sys.stdout.flush()
    except (ValueError, cyclopts.CycloptsError) as error:
        print(f"error: {visible(' '.join(_message(error, options).split()))}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        with suppress(Interrupted):
            output_closed()
        return EXIT_CODES[OUTPUT]
    except Interrupted as error:
        if error.reason != OUTPUT:
            print("interrupted", file=sys.stderr)
        return EXIT_CODES[error.reason]
    except PermissionError as error:  # a file of another user
        print(f"error: {visible(in_words(error))}", file=sys.stderr)
        return USAGE
    except (StorageError, OSError) as error:
        if not (reason := storage_reason(error)):
            raise
        print(f"error: {reason}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_CODES["interrupt"]
    finally:
        app.config = config  # `rangefinder` may call this command later, with a config of its own
    return int(code or 0)


def leave(code: int) -> NoReturn:
    """End the process at once. By then the command has written and closed its files, and Python
    would need half a second to free what Ray has imported."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()
    os._exit(code)


def _open_streams() -> None:
    """Open the null device in place of each standard stream that the shell has closed. Otherwise,
    the next file to be opened would take the stream's number, and get what libraries print."""
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(nowhere)
    sys.stdout = sys.stdout or os.fdopen(_STDOUT, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w", closefd=False)


def _message(error: Exception, options: Options) -> str:
    cause = error.__cause__ if isinstance(error, cyclopts.ValidationError) else error
    if isinstance(cause, pydantic.ValidationError):
        return options.explain(cause)
    if isinstance(error, cyclopts.CoercionError) and error.argument and error.token:
        try:
            one_of(error.argument.get_choices() or ())(error.token.value)
        except ValueError as reason:
            return f"{error.argument.name} {reason}"
    if isinstance(error, cyclopts.UnusedCliTokensError):
        return f"'{' '.join(error.unused_tokens or ())}' is unexpected: every option begins with --"
    if isinstance(error, cyclopts.CycloptsError):
        error.verbose = False
        return str(error)
    return options.spoken(str(error))


def _default_shown(value: object) -> str | None:
    """The default as the help shows it; None if it is none, off or empty."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or None
    return str(value) if value or (value == 0 and value is not False) else None
