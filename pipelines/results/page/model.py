"""What a page is made of: sections, each with words and figures, in an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import plotly.graph_objects as go


class Words(NamedTuple):
    """A paragraph; ``tone`` "note" is set small."""

    text: str
    tone: Literal["", "note", "warning"] = ""
    kind: str = "words"


class Numbers(NamedTuple):
    """A few numbers to see at once, each with what it is."""

    entries: Sequence[tuple[str, str]]
    kind: str = "numbers"


class Link(NamedTuple):
    """Words that lead to another page."""

    text: str
    address: str


class Table(NamedTuple):
    """A short table of words."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
    kind: str = "table"


class Code(NamedTuple):
    """What can be typed or copied."""

    text: str
    kind: str = "code"


Block: TypeAlias = Words | Numbers | Table | Code


class Drawing(NamedTuple):
    """A figure in its place. ``id`` is its own on the page, and stays when the page is made anew.

    ``role`` says what the page's own code does with it: "trials" adds the chosen trial from the
    points and lines whose ``customdata`` is its number, "curves" from the trial's own curve, and
    "chosen" shows all curves of the chosen trial.
    """

    id: str
    figure: go.Figure
    caption: str = ""
    height: int = 340
    wide: bool = False
    role: Literal["", "trials", "curves", "chosen"] = "trials"


@dataclass(frozen=True)
class Section:
    """``id`` is its anchor. ``shows_trials``: the table of all trials stands at its end."""

    id: str
    title: str
    blocks: Sequence[Block]
    drawings: Sequence[Drawing] = ()
    shows_trials: bool = False


@dataclass(frozen=True)
class Page:
    """``state`` says, in a few words, whether what is shown is all there will be."""

    title: str
    subtitle: str
    state: str
    sections: Sequence[Section]
    trials: Mapping[str, Any] = field(default_factory=dict)  # see pipelines.results.page.trials
