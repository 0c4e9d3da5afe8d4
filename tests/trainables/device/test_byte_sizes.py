"""Sizes in bytes, in a form that people can read."""

from __future__ import annotations

import pytest

from trainables.device.byte_sizes import format_bytes


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345_678, "12.3 MB")),
        *((999_600, "1 MB"), (2.5e9, "2.5 GB"), (4e13, "40 TB")),
    ],
)
def test_they_are_shown_in_powers_of_a_thousand(size: float, shown: str) -> None:
    assert format_bytes(size) == shown
