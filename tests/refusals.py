"""What refuses an input says so in one line."""

from __future__ import annotations

import json

import pydantic

from pipelines.cli.options import Options


def assert_one_line(error: ValueError) -> None:
    """In words of its own, not those of what met the input; of settings as a command says it."""
    assert not isinstance(error, UnicodeError | json.JSONDecodeError)
    message = str(error)
    if isinstance(error, pydantic.ValidationError):
        message = Options().explain(error)
    assert message
    assert "\n" not in message
    assert len(message) < 5000
