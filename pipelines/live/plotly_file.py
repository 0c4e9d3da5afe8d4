"""Plotly's code as a file, which browsers keep: it is nearly all of the size of a page."""

from __future__ import annotations

import gzip
from functools import cache

from plotly.offline import get_plotlyjs, get_plotlyjs_version

from pipelines.live.addresses import HOME

ADDRESS = f"{HOME}/plotly-{get_plotlyjs_version()}.js"
HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@cache
def plain() -> bytes:
    """The code, not compressed."""
    code: str = get_plotlyjs()
    return code.encode()


@cache
def packed() -> bytes:
    """The code compressed, for browsers that accept gzip: a third of the size."""
    return gzip.compress(plain(), 6)
