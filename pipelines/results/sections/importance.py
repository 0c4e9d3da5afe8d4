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
    """Over all trials, and among the better half."""
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
        blocks.append(Words("The better half is too small to ask the same of it.", "note"))
    blocks.append(
        Words(
            f"Trials are compared by the best {found.score} that they had reached at epoch "
            f"{found.epoch}, which all of them came to, stopped or not; a diverged one counts as "
            "the worst. Importance is how much the best quarter (where more than three quarters "
            "diverged, those that did not) differs from all (PED-ANOVA); the mark is what the "
            "same gives, one time in twenty, when scores are dealt out at random: of many "
            "parameters one may pass it by chance. The dotted line is an even share.",
            "note",
        )
    )
    height = 160 + 22 * len(found.importance.names)
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
    """Why nothing can be said of importance."""
    n = len(found.scored)
    varied = [name for name, domain in found.space.domains.items() if not domain.single]
    if len(varied) < 2:
        return f"Only {wording.count(len(varied), 'parameter')} was searched: nothing to compare."
    if n < LEAST_TRIALS:
        return f"Too few trials to tell: {n} can be compared, {LEAST_TRIALS} are needed."
    return "All trials have the same score: nothing to tell apart."


def sentence(data: Importance) -> str:
    """What can be said beyond chance."""
    found, last = data.outstanding, data.names[-1]
    told = (
        f"no parameter stands out from chance; {data.n_trials} trials are too few to tell "
        f"{len(data.names)} parameters apart."
    )
    if found:
        share = sum(s for n, s in zip(data.names, data.shares, strict=True) if n in found)
        told = (
            f"{_named(found)} {'make' if len(found) > 1 else 'makes'} {share:.0%} of the "
            "difference between the best trials and the rest, more than chance would; "
            f"{last} matters least."
        )
    if small := [name for name in data.beyond_chance if name not in found]:
        passes = "pass" if len(small) > 1 else "passes"
        told += f" {_named(small)} {passes} the mark of chance with less than an even share."
    return told


def _named(names: Sequence[str]) -> str:
    some, more = names[:_MOST_NAMED], len(names) - _MOST_NAMED
    return f"{', '.join(some)} and {more} more" if more > 0 else wording.listed(some)
