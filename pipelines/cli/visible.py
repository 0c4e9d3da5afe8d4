"""Makes text of any origin safe for a terminal."""

from __future__ import annotations

import re

# Control characters, line separators, changes of direction (as in CVE-2021-42574), and surrogates,
# which stand for bytes that are not text.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """``text`` with escapes, as Python writes them, for characters that would move a terminal's
    cursor, colour the text or change its direction."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)
