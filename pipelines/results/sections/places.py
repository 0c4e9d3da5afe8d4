"""The timeline: which trial ran where and when."""

from __future__ import annotations

from collections import Counter

from pipelines.results import wording
from pipelines.results.figures.timeline import MOST_BARS, timeline_data, timeline_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.results.working_time import gaps


def places(found: Findings) -> Section:
    """The trials in the places where they ran, node by node."""
    pauses = gaps(found.run)
    data = timeline_data(found.shown, pauses)
    if not data.bars:
        return Section("places", "Timeline", [Words("No trial has started.")])
    nodes = Counter(data.places)
    idle = (1 - data.busy) * data.minutes * len(data.places)
    blocks: list[Block] = [
        Words(
            f"{wording.count(len(data.places), 'place')} on {wording.count(len(nodes), 'node')}, "
            f"busy {data.busy:.0%} of the time; {wording.duration(60 * idle)} of idle time in all."
        )
    ]
    if pauses:
        told = ", ".join(
            f"{wording.duration(gap.seconds)} after its driver ended ({gap.by or 'complete'})"
            for gap in pauses
        )
        blocks.append(
            Words(f"The search went on {_times(len(pauses))}: {told}. That time is left out.")
        )
    if len(nodes) > 1:
        told = ", ".join(f"{node}: {wording.count(n, 'place')}" for node, n in nodes.items())
        blocks.append(Words(told, "note"))
    if len(data.bars) > MOST_BARS:
        blocks.append(Words(f"The {MOST_BARS} longest of {len(data.bars)} trials.", "note"))
    height = 120 + 26 * min(len(data.places), 40)
    drawing = Drawing("timeline", timeline_figure(data), height=height, wide=True)
    return Section("places", "Timeline", blocks, [drawing])


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
