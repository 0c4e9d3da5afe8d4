"""Names as figures show them: short, and with Plotly's markup escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from search_spaces import Value


def label(text: object, most: int = 40) -> str:
    """``text`` shortened and escaped: a name may contain what Plotly takes for its markup."""
    return html.escape(_short(f"{text:.4g}" if isinstance(text, float) else str(text), most), False)


def labels(texts: Iterable[object], most: int) -> list[str]:
    """The labels of several texts, all different: equal ones get their number in front."""
    shown = [label(text, most) for text in texts]
    twice = {words for words in shown if shown.count(words) > 1}
    return [f"{n}: {words}" if words in twice else words for n, words in enumerate(shown, 1)]


def _short(words: str, most: int) -> str:
    """``words`` without their middle: long names often begin alike."""
    if len(words) <= most:
        return words
    head = most // 2
    return f"{words[:head]}…{words[head + 1 - most :]}"


def config_label(config: Mapping[str, Value]) -> str:
    """A config in several lines, for a hover text."""
    entries = [f"{label(name)}={label(value)}" for name, value in config.items()]
    lines = [", ".join(entries[i : i + 4]) for i in range(0, len(entries), 4)]
    return "<br>".join(lines)
