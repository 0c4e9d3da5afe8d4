"""Amounts of memory as a user types them."""

from __future__ import annotations

import math
import re

_UNITS = {
    "": 1.0,
    **{f"{prefix}B": 1000.0**i for i, prefix in enumerate(("", "k", "M", "G", "T"))},
    **{f"{prefix}iB": 1024.0**i for i, prefix in enumerate(("K", "M", "G", "T"), start=1)},
}
_NAMES = {name.lower(): size for name, size in _UNITS.items()}


def parse_memory(text: str) -> float:
    """Bytes in ``2GB``, ``500 MB`` or ``1.5GiB``. Raises ``ValueError`` for what is no amount
    above 0."""
    match = re.fullmatch(r"\s*([0-9.eE+-]+?)\s*([a-zA-Z]*)\s*", text)
    unit = _NAMES.get(match[2].lower()) if match else None
    try:
        number = float(match[1]) if match else math.nan
    except ValueError:
        number = math.nan
    if unit is None or not math.isfinite(number):
        raise ValueError(f"'{text}' is no amount of memory: write 2GB, 500MB or 1.5GiB")
    if number <= 0:
        raise ValueError(f"'{text}' must be above 0")
    return number * unit
