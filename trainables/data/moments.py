"""Dates and times of day from texts."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, tzinfo

# In addition to ISO 8601. Without 01/02/2013, because its meaning depends on the country.
DATES = ("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M")
_FIRST = date(1970, 1, 1)


def moment_of(text: str, zone: tzinfo = UTC) -> datetime:
    """The date and time that this text means in a CSV file.

    A time with a time zone is converted to ``zone``. A time of day becomes a time on 1970-01-01.
    Raises ``ValueError`` for a text that is not a date.
    """
    if text[2:3] == ":":
        moment = datetime.combine(_FIRST, time.fromisoformat(text))
    elif text[4:5] == "-":
        moment = datetime.fromisoformat(text)
    else:
        moment = _otherwise(text)
    with suppress(OverflowError):  # at the start of year 1 or the end of year 9999
        return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment
    raise ValueError(f"{text!r} is not a date")


def zone_of(name: str) -> tzinfo:
    """The time zone that Arrow knows by ``name``, such as Europe/Berlin or +01:00. Raises
    ``ValueError`` if there is none."""
    import pyarrow as pa

    with suppress(pa.ArrowException, LookupError, TypeError, ValueError):
        zone = pa.scalar(0, pa.timestamp("s", name)).as_py().tzinfo
        if isinstance(zone, tzinfo):
            return zone
    raise ValueError(f"there is no time zone {name!r}")


def _otherwise(text: str) -> datetime:
    for form in DATES:
        if any(text.count(mark) != form.count(mark) for mark in "/:"):
            continue  # quicker than strptime, which cannot succeed
        with suppress(ValueError):
            return datetime.strptime(text, form)
    raise ValueError(f"{text!r} is not a date")
