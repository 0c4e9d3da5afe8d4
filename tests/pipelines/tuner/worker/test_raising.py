"""Errors as texts that can be shown anywhere."""

from __future__ import annotations

import pickle

import pytest

from pipelines.tuner.attempts import AttemptError, Cause
from pipelines.tuner.worker.printed import Printed
from pipelines.tuner.worker.raising import in_words


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    ("error", "cause", "line"),
    [
        (KeyError("lr"), Cause.ERROR, "KeyError: 'lr' (test_raising.py, line "),
        (ValueError(), Cause.ERROR, "ValueError (test_raising.py, line "),
        (MuteError(), Cause.ERROR, "MuteError (test_raising.py, line "),
        (KeyboardInterrupt(), Cause.ERROR, "KeyboardInterrupt (test_raising.py, line "),
        (
            RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB"),
            Cause.OUT_OF_MEMORY,
            "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB (test_raising.py, line ",
        ),
    ],
)
def test_whatever_is_raised_is_said(error: BaseException, cause: Cause, line: str) -> None:
    with pytest.raises(AttemptError) as caught, in_words(Printed()):
        raise error
    said = pickle.loads(pickle.dumps(caught.value))
    assert said.cause is cause
    assert said.error.startswith(line)
    assert type(error).__name__ in said.traceback


def test_what_is_said_already_is_not_said_again() -> None:
    told = AttemptError(Cause.LEAVING)
    with pytest.raises(AttemptError) as caught, in_words(Printed()):
        raise told
    assert caught.value is told
