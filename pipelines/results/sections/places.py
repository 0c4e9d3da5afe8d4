"""The timeline: which trial ran where and when."""

from __future__ import annotations

from collections import Counter

from pipelines.results import wording
from pipelines.results.figures.timeline import MOST_BARS, timeline_data, timeline_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words


def places(found: Findings) -> Section:
    """Trials over the places they ran in, node by node."""
    data = timeline_data(found.trials)
    if not data.bars:
        return Section("places", "Timeline", [Words("No trial has finished.")])
    nodes = Counter(data.places)
    idle = (1 - data.busy) * data.minutes * len(data.places)
    blocks: list[Block] = [
        Words(
            f"{wording.count(len(data.places), 'place')} on {wording.count(len(nodes), 'node')}, "
            f"busy {data.busy:.0%} of the time; {wording.duration(60 * idle)} in all stood empty."
        )
    ]
    if len(nodes) > 1:
        told = ", ".join(f"{node}: {wording.count(n, 'place')}" for node, n in nodes.items())
        blocks.append(Words(told, "note"))
    if len(data.bars) > MOST_BARS:
        blocks.append(Words(f"The {MOST_BARS} longest of {len(data.bars)} trials.", "note"))
    height = 120 + 26 * min(len(data.places), 40)
    drawing = Drawing("timeline", timeline_figure(data), height=height, wide=True)
    return Section("places", "Timeline", blocks, [drawing])
