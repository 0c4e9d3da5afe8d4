"""How every command ends: its errors as one line on stderr, and its exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

USAGE = 2
FAILURE = 1
INTERRUPTED = 130


def main(app: typer.Typer) -> NoReturn:
    """Run a Typer app. A ``ValueError`` or a usage error is the user's: one line, exit code 2."""
    try:
        code = app(standalone_mode=False)
    except (ValueError, typer.TyperException) as error:
        message = _message(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(USAGE)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(code or 0)


def _message(error: Exception) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if formatted else error)
