"""What mattered."""

from __future__ import annotations

from pipelines.results import wording
from pipelines.results.figures.importance import LEAST_TRIALS, Importance, importance_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words

_TITLE = "What mattered"
_MOST_NAMED = 4


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
            "parameters one may pass it by chance.",
            "note",
        )
    )
    height = 120 + 22 * len(found.importance.names)
    drawings = [
        Drawing("importance", importance_figure(found.importance), "All trials", height, role="")
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
    beyond = data.beyond_chance
    if not beyond:
        return (
            f"no parameter stands out from chance; {data.n_trials} trials are too few to tell "
            f"{len(data.names)} parameters apart."
        )
    share = sum(s for n, s in zip(data.names, data.shares, strict=True) if n in beyond)
    named = beyond[:_MOST_NAMED]
    more = f" and {len(beyond) - len(named)} more" if len(beyond) > len(named) else ""
    names = ", ".join(named) + more if more else wording.listed(named)
    last = data.names[-1]
    return (
        f"{names} {'make' if len(beyond) > 1 else 'makes'} {share:.0%} of the difference between "
        f"the best trials and the rest, more than chance would; {last} matters least."
    )
