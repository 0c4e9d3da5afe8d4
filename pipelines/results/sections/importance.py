"""What mattered."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.results import wording
from pipelines.results.figures.importance import LEAST_TRIALS, Importance, importance_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words

_TITLE = "What mattered"
_MOST_NAMED = 3


def importance(found: Findings) -> Section:
    """The importance of the parameters over all trials, and among the better half."""
    n = len(found.scored)
    if found.importance is None:
        return Section("importance", _TITLE, [Words(why_none(found))])
    blocks: list[Block] = [
        Words(f"Over all {n} trials: {sentence(found.importance)}"),
    ]
    above = found.importance_above
    if above is not None:
        blocks.append(Words(f"Among the better half: {sentence(above)}"))
    else:
        blocks.append(Words("The better half has too few trials to tell.", "note"))
    blocks.append(
        Words(
            f"Trials are compared by the best {found.score} that they had reached at epoch "
            f"{found.epoch}: all of them trained that far, stopped or not. A diverged trial counts "
            "as the worst. Importance is how much the best quarter differs from all trials "
            "(PED-ANOVA); if more than three quarters diverged, the trials that did not diverge "
            "are taken instead of the best quarter. The mark is what random scores reach one time "
            "in twenty: of many parameters, one may pass its mark by chance. The dotted line is an "
            "even share.",
            "note",
        )
    )
    height = 110 + 22 * len(found.importance.names)
    drawings = [
        Drawing(
            "importance",
            importance_figure(found.importance),
            "All trials",
            height,
            wide=above is None,
            role="",
        )
    ]
    if above is not None:
        drawings.append(
            Drawing(
                "importance-above", importance_figure(above), "The better half", height, role=""
            )
        )
    return Section("importance", _TITLE, blocks, drawings)


def why_none(found: Findings) -> str:
    """Why nothing can be said about importance."""
    n = len(found.scored)
    varied = [name for name, domain in found.space.domains.items() if not domain.single]
    if len(varied) < 2:
        return f"Only {wording.count(len(varied), 'parameter')} was searched: nothing to compare."
    if n < LEAST_TRIALS:
        return f"Too few trials to tell: {n} can be compared, {LEAST_TRIALS} are needed."
    return "All trials have the same score: nothing to compare."


def sentence(data: Importance) -> str:
    """The parameters that stand out from chance, in a sentence."""
    found, last = data.outstanding, data.names[-1]
    told = (
        f"no parameter stands out from chance; {data.n_trials} trials are too few to tell "
        f"{len(data.names)} parameters apart."
    )
    if found:
        share = sum(s for n, s in zip(data.names, data.shares, strict=True) if n in found)
        told = (
            f"{_named(found)} {'make' if len(found) > 1 else 'makes'} {share:.0%} of the "
            "difference between the best trials and the rest, more than chance alone would; "
            f"{last} matters least."
        )
    if small := [name for name in data.beyond_chance if name not in found]:
        passes = "pass" if len(small) > 1 else "passes"
        told += f" {_named(small)} {passes} the mark of chance, but with less than an even share."
    return told


def _named(names: Sequence[str]) -> str:
    some, more = names[:_MOST_NAMED], len(names) - _MOST_NAMED
    return f"{', '.join(some)} and {more} more" if more > 0 else wording.listed(some)
