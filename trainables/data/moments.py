"""Dates and times of day that are written as texts."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time

# Beside ISO 8601. Not 01/02/2013, which is one day in America and another elsewhere.
DATES = ("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M")
_FIRST = date(1970, 1, 1)


def moment_of(text: str) -> datetime:
    """What a CSV file with this text has: with a time zone it is the time in UTC, and a time of
    day is one of the first day of 1970.

    Raises ``ValueError`` for a text that is no date.
    """
    if text[2:3] == ":":
        moment = datetime.combine(_FIRST, time.fromisoformat(text))
    elif text[4:5] == "-":
        moment = datetime.fromisoformat(text)
    else:
        moment = _otherwise(text)
    with suppress(OverflowError):  # in the years 1 and 9999
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    raise ValueError(f"{text!r} is no date")


def _otherwise(text: str) -> datetime:
    for form in DATES:
        if any(text.count(mark) != form.count(mark) for mark in "/:"):
            continue  # a form that does not fit takes as long to find out
        with suppress(ValueError):
            return datetime.strptime(text, form)
    raise ValueError(f"{text!r} is no date")
