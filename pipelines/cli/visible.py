"""Text that may come from anywhere, for a terminal."""

from __future__ import annotations

import re

# Control characters, separators of lines, directions (as in CVE-2021-42574), and the halves of
# characters that stand for bytes which are no text.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """``text`` without what would move a terminal's cursor, colour it or turn its direction: such
    characters stand as Python writes them."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)
