"""Code that refuses an input must say so in one line."""

from __future__ import annotations

import json

import pydantic

from pipelines.cli.options import Options


def assert_one_line(error: ValueError) -> None:
    """The error has one line of our own words, not the text of a low-level error. For an error of
    settings, the text is the one that a command prints."""
    assert not isinstance(error, UnicodeError | json.JSONDecodeError)
    message = str(error)
    if isinstance(error, pydantic.ValidationError):
        message = Options().explain(error)
    assert message
    assert "\n" not in message
    assert len(message) < 5000
