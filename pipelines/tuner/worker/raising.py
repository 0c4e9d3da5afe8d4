"""Turns what a trainable raises into text, because the driver may not know its exceptions."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from pipelines.tuner.attempts import AttemptError
from pipelines.tuner.outcome import cause_of, cut, shortened
from pipelines.tuner.worker.printed import Printed
from trainables.training import cross_validation, trainable

_OURS = (str(Path(__file__).parents[2]), cross_validation.__file__, trainable.__file__)
_RAYS = str(Path(ray.__file__).parent)


@contextmanager
def in_words(printed: Printed) -> Iterator[None]:
    """Inside the block, everything that is raised becomes an ``AttemptError``, which also carries
    what was ``printed`` before. This includes ``sys.exit`` and Ctrl-C, which would end the
    process."""
    try:
        yield
    except AttemptError:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        if isinstance(error, SystemExit) and frames[-1].filename.startswith(_RAYS):
            raise  # Ray ends this process
        raise _described(error, frames, printed.take()) from None


def _described(error: BaseException, frames: traceback.StackSummary, printed: str) -> AttemptError:
    """The error with its frames, from the first frame that is neither ours nor Ray's."""
    theirs_begin = (n for n, f in enumerate(frames) if not f.filename.startswith((*_OURS, _RAYS)))
    first = next(theirs_begin, len(frames))
    theirs = traceback.StackSummary.from_list(frames[first:])
    name, message = type(error).__name__, _message(error)
    called = f"Traceback (most recent call last):\n{''.join(theirs.format())}" if theirs else ""
    text = f"{called}{name}: {message}"
    where = f" ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})" if theirs else ""
    line = shortened(f"{name}: {message}" if message else name)
    before = f"\n\nIt had printed:\n{printed}" if printed else ""
    return AttemptError(cause_of(message), f"{line}{where}", f"{cut(text)}{before}")


def _message(error: BaseException) -> str:
    try:
        return str(error).encode(errors="backslashreplace").decode()  # lone surrogates too
    except Exception:  # its own __str__ raises
        return ""
