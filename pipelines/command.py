"""How every command ends: its errors as one line on stderr, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

USAGE = 2
FAILURE = 1
INTERRUPTED = 130


def main(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a Typer app on ``arguments``, or the command line's; returns the exit code.

    A ``ValueError`` or a usage error is the user's: one line on stderr, exit code 2.
    """
    try:
        code = app(arguments, standalone_mode=False)
    except (ValueError, typer.TyperException) as error:
        message = _message(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return int(code or 0)


def _message(error: Exception) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if formatted else error)
