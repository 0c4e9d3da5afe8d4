"""The timeline: which trial ran where and when."""

from __future__ import annotations

from collections import Counter

from pipelines.results import wording
from pipelines.results.figures.timeline import (
    MOST_BARS,
    Timeline,
    timeline_data,
    timeline_figure,
)
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.results.working_time import gaps

_PAUSES = (
    "A bar goes from the first start of a trial to its end. It includes the pauses of the trial, "
    "in which other trials ran."
)


def places(found: Findings) -> Section:
    """The trials in the places where they ran, node by node."""
    pauses = gaps(found.run)
    data = timeline_data(found.shown, pauses)
    if not data.bars:
        return Section("places", "Timeline", [Words("No trial has finished, and none runs.")])
    nodes = Counter(data.places)
    blocks: list[Block] = [Words(_PAUSES if found.pauses else _busy(data, len(nodes)))]
    if pauses:
        told = ", ".join(
            f"{wording.duration(gap.seconds)} after its driver ended ({gap.by or 'complete'})"
            for gap in pauses
        )
        blocks.append(
            Words(f"At {_lines(len(pauses))} the search went on: {told}. That time is left out.")
        )
    if len(nodes) > 1 and not found.pauses:
        told = ", ".join(f"{node}: {wording.count(n, 'place')}" for node, n in nodes.items())
        blocks.append(Words(told, "note"))
    if len(data.bars) > MOST_BARS:
        blocks.append(Words(f"The {MOST_BARS} longest of {len(data.bars)} trials.", "note"))
    n_fates = len({bar.fate for bar in data.bars})  # on a phone, two of them fill a line
    height = 130 + 10 * n_fates + 26 * min(len(data.places), 40)
    drawing = Drawing("timeline", timeline_figure(data), height=height, wide=True)
    return Section("places", "Timeline", blocks, [drawing])


def _busy(data: Timeline, n_nodes: int) -> str:
    """How many places there were, and how much of the time trials held them."""
    idle = (1 - data.busy) * data.minutes * len(data.places)
    return (
        f"{wording.count(len(data.places), 'place')} on {wording.count(n_nodes, 'node')}, "
        f"busy {data.busy:.0%} of the time; {wording.duration(60 * idle)} of idle time in all."
    )


def _lines(n: int) -> str:
    return "the dotted line" if n == 1 else f"the {n} dotted lines, from left to right,"
