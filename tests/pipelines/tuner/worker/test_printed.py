"""The output of a trial is kept, whatever else prints, and however much it is."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest

from pipelines.tuner.attempts import AttemptError
from pipelines.tuner.worker.printed import MOST_PRINTED, Printed
from pipelines.tuner.worker.raising import in_words


def test_what_is_printed_inside_is_kept_and_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    printed, streams = Printed(), (sys.stdout, sys.stderr)
    with printed.listening():
        print("batch 1")
        print("careful", file=sys.stderr)
        sys.stdout.writelines(["a", "b"])
    print("not the trial")
    assert (sys.stdout, sys.stderr) == streams
    assert printed.take() == "batch 1\ncareful\nab"
    assert printed.take() == ""
    assert capsys.readouterr() == ("batch 1\nabnot the trial\n", "careful\n")


def test_of_much_the_beginning_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    printed = Printed()
    kept = ""
    for _ in range(3):
        with printed.listening():
            print("x" * MOST_PRINTED)
        kept += printed.take()
    assert kept.count("x") == MOST_PRINTED
    assert kept.endswith("... more is in the log of its process\n")
    printed.begin()
    with printed.listening():
        print("another trial")
    assert printed.take() == "another trial\n"


def test_a_trial_may_put_its_own_stream_there() -> None:
    printed, stream, before = Printed(), io.StringIO(), sys.stdout
    redirected = contextlib.redirect_stdout(stream)
    with printed.listening():
        redirected.__enter__()
    assert sys.stdout is stream
    with printed.listening():
        print("its own stream has it")
    assert "its own stream has it" in stream.getvalue()
    redirected.__exit__(None, None, None)
    sys.stdout = before


def test_what_no_file_takes_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    printed = Printed()
    printed.hear("a\udc80b")
    assert printed.take() == "a?b"


def fail() -> None:
    print("batch 7: odd labels")
    raise ValueError("no")


def test_it_goes_with_what_was_raised() -> None:
    printed = Printed()
    with pytest.raises(AttemptError) as caught, in_words(printed), printed.listening():
        fail()
    said = "ValueError: no\n\nIt had printed:\nbatch 7: odd labels\n"
    assert caught.value.traceback.endswith(said)
