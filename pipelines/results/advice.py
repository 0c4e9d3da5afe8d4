"""Advice for the next search, from all trials of a run: a sentence for its summary.

The questions are those of Google's deep learning tuning playbook: what share of the trials is
infeasible, beyond which value they are, and what the training curves of the others have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from pipelines.record.trials import TIME_BUDGET, FinishedTrial, State

LEAST_TRIALS = 3  # fewer may be chance
LEAST_EPOCHS = 3  # a search of fewer epochs compares little
NOTABLE = 0.2  # a problem is mentioned if at least this share of the trials has it
EXPLAINED = 0.5  # Youden's J: 0 for a threshold that explains nothing, 1 for a perfect one

# Problems that the learning rate may explain: what the trials did, the remedy, and on which side of
# a threshold they lie.
_REMEDIES = {
    "lr too small": ("learnt too slowly", "try a higher LR", "below"),
    "lr too large": ("were near divergence", "try a lower LR", "above"),
}


def advice(trials: Sequence[FinishedTrial]) -> str:
    """One sentence: which share of the trials had which problem, and what to do. "" if there is
    nothing to say.

    Failed trials do not count. For diverged trials it names the learning rate above which most of
    them lie, if there is one. The other trials are grouped by the clue in their curves.
    """
    ran = [trial for trial in trials if trial.state is not State.FAIL]
    told = (_diverged(ran), _clues(ran), _to_the_end(ran), _cut_short(ran))
    parts = [part for part in told if part]
    return "; ".join(parts)


def lr_threshold(
    trials: Sequence[FinishedTrial], has: Callable[[FinishedTrial], bool], side: str
) -> float | None:
    """The learning rate that separates the trials for which ``has`` is true. They lie on its
    ``side``, "above" or "below": see :func:`threshold`."""
    return threshold(trials, has, side, "lr")


def threshold(
    trials: Sequence[FinishedTrial], has: Callable[[FinishedTrial], bool], side: str, name: str
) -> float | None:
    """The value of parameter ``name`` that separates the trials for which ``has`` is true, which
    lie on its ``side``, from the others.

    It has the highest Youden's J (share of those trials on that side, minus that of the others;
    Youden 1950). It lies halfway between two neighbouring values; if both are positive it is their
    geometric mean. None if J is below 0.5, because the parameter then does not explain these
    trials, or if they are less than half of the trials on that side.
    """
    pairs = sorted((x, has(trial)) for trial in trials if (x := _number(trial, name)) is not None)
    n_with = sum(holds for _, holds in pairs)
    n_without = len(pairs) - n_with
    if not (n_with and n_without):
        return None
    best, found, with_below = 0.0, None, 0
    for i in range(1, len(pairs)):
        low, high = pairs[i - 1][0], pairs[i][0]
        with_below += pairs[i - 1][1]
        if low == high:
            continue
        above = side == "above"
        n_there = len(pairs) - i if above else i
        with_there = n_with - with_below if above else with_below
        youden = with_there / n_with - (n_there - with_there) / n_without
        if youden > best and with_there >= n_there / 2:
            best, found = youden, math.sqrt(low * high) if low > 0 else (low + high) / 2
    return found if best >= EXPLAINED else None


def _number(trial: FinishedTrial, name: str) -> float | None:
    value = trial.config.get(name)
    return float(value) if isinstance(value, int | float) else None


def _diverged(trials: Sequence[FinishedTrial]) -> str:
    n = sum(trial.diverged for trial in trials)
    if not _is_notable(n, len(trials)):
        return ""
    lr = lr_threshold(trials, lambda trial: trial.diverged, "above")
    part = f"{n / len(trials):.0%} of {len(trials)} trials diverged"
    if lr is not None:
        return f"{part}, most above lr {lr:.2g}: try a lower LR"
    tried = [x for trial in trials if (x := _number(trial, "lr")) is not None]
    if n < len(trials) or not tried:
        return part
    return f"{part}, even with lr {min(tried):.2g}: try a lower LR"


def _clues(trials: Sequence[FinishedTrial]) -> str:
    """On the trials that did not diverge and ran long enough to show something."""
    told = [trial for trial in trials if trial.clue and not trial.diverged]
    parts = list(_kinds(told))
    return f"of {len(told)} with a curve to read, {', '.join(parts)}" if parts else ""


def _kinds(trials: Sequence[FinishedTrial]) -> Iterator[str]:
    for kind, (what, remedy, side) in _REMEDIES.items():
        n = sum(trial.clue == kind for trial in trials)
        if not _is_notable(n, len(trials)):
            continue
        where = lr_threshold(trials, _shows(kind), side)
        most = "" if where is None else f", most {side} lr {where:.2g}"
        yield f"{n / len(trials):.0%} {what}{most}: {remedy}"


def _shows(kind: str) -> Callable[[FinishedTrial], bool]:
    return lambda trial: trial.clue == kind


def _to_the_end(trials: Sequence[FinishedTrial]) -> str:
    """On the trials that were not stopped: for stopped trials, more epochs would be no advice."""
    ended = [trial for trial in trials if trial.clue and trial.state is State.COMPLETE]
    remedies = {
        "underfitting": "try more epochs, a higher LR or a larger network",
        "overfitting": "try more weight decay or dropout, fewer epochs or a smaller network",
    }
    parts = []
    for kind, remedy in remedies.items():
        n = sum(trial.clue == kind for trial in ended)
        if _is_notable(n, len(ended)):
            parts.append(f"{n / len(ended):.0%} were {kind}: {remedy}")
    return f"of {len(ended)} trained to the end, {', '.join(parts)}" if parts else ""


def _cut_short(trials: Sequence[FinishedTrial]) -> str:
    """On a time budget in which no trial could train for all epochs that its schedule planned."""
    most = max((trial.epochs for trial in trials if trial.stopped_by == TIME_BUDGET), default=0)
    if not most or any(trial.state is State.COMPLETE for trial in trials):
        return ""
    fewer, faster = f"--max-epochs {most} fits the time", "--data-fraction 0.1 makes epochs shorter"
    return (
        "no trial reached its last epoch, where the learning rate schedule ends: "
        f"{fewer if most >= LEAST_EPOCHS else faster}"
    )


def _is_notable(n: int, of: int) -> bool:
    return n >= LEAST_TRIALS and n >= NOTABLE * of
