"""The parts of a page: sections in order, each with words and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import plotly.graph_objects as go


class Words(NamedTuple):
    """A paragraph; ``tone`` "note" is set small. Options of the command line are set as code."""

    text: str
    tone: Literal["", "note", "warning"] = ""
    kind: str = "words"


class Numbers(NamedTuple):
    """A few numbers to see at once, each with its name."""

    entries: Sequence[tuple[str, str]]
    kind: str = "numbers"


class Facts(NamedTuple):
    """Many names, each with its value, set small."""

    entries: Sequence[tuple[str, str]]
    kind: str = "facts"


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
    """Commands to type or copy."""

    text: str
    kind: str = "code"


Block: TypeAlias = Words | Numbers | Facts | Table | Code


class Drawing(NamedTuple):
    """A figure in its place. ``id`` is unique on the page, and stays the same when the page is made
    again.

    ``role`` says how the page's own code shows the chosen trial in it: "trials" marks the points
    and lines whose ``customdata`` is its number, "curves" adds its curve, and "chosen" shows all
    its curves.
    """

    id: str
    figure: go.Figure
    caption: str = ""
    height: int = 340
    wide: bool = False
    least_width: int = 0  # in pixels; on a narrower page a wide figure scrolls
    role: Literal["", "trials", "curves", "chosen"] = "trials"


@dataclass(frozen=True)
class Section:
    """A part of a page. ``id`` is its anchor. With ``shows_trials`` it ends with the table of all
    trials."""

    id: str
    title: str
    blocks: Sequence[Block]
    drawings: Sequence[Drawing] = ()
    shows_trials: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page. ``state`` says, in a few words, whether more results may come."""

    title: str
    subtitle: str
    state: str
    sections: Sequence[Section]
    trials: Mapping[str, Any] = field(default_factory=dict)  # see pipelines.results.page.trials
