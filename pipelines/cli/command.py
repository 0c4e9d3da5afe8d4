"""How every command ends: errors as one line on stderr, the exit code, and what to type next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

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


def to_type(name: str, *words: str) -> str:
    """The command ``name`` with ``words``, as one types it after this one: its script where it lies
    beside this one's, which `ray submit` copies alone."""
    script = Path(sys.argv[0]).with_name(f"{name}.py")
    start = [str(script)] if script.is_file() else ["-m", f"pipelines.{name}"]
    return shlex.join(["python", *start, *words])


def _message(error: Exception) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if formatted else error)
