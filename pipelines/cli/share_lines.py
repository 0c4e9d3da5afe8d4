"""The lines of the plan about trials that share GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def share_lines(asked: float, granted: float, mps: Mapping[str, bool]) -> Iterator[str]:
    """What a trial may take of a GPU if it asks for a share of one; it gets that share or more.

    ``mps`` says for each node with GPUs whether MPS runs there.
    """
    if granted > asked:
        whole = "a GPU of its own" if granted >= 1 else f"{granted:g} of one"
        yield f"sharing   so few trials at once leave GPUs unused: each gets {whole}"
    if granted < 1:
        label = "sharing" if granted <= asked else ""
        may_take = f"a trial may take {granted:.0%} of a GPU's memory"
        yield f"{label:10}{may_take}{_processors(granted, mps)}"


def _processors(share: float, mps: Mapping[str, bool]) -> str:
    without = [node for node, runs in mps.items() if not runs]
    if not mps:
        return ", and of its processors where MPS runs"
    if not without:
        return f", and {share:.0%} of its processors: MPS runs"
    where = "" if len(without) == len(mps) else f" on {', '.join(without)}"
    return (
        f"; MPS does not run{where}: trials on one GPU compute in turns"
        " (`nvidia-cuda-mps-control -d` starts it)"
    )
