"""What was asked, and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.record.baselines import Baselines, left_out
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.endings import goes_on
from pipelines.results.fates import fates
from pipelines.results.figures.timeline import timeline_data
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Facts, Numbers, Section, Table, Words
from pipelines.results.requirements import why_no_best
from pipelines.results.sections.tested import test_numbers
from trainables.training.metrics import METRICS


def outcome(found: Findings) -> Section:
    """The outcome in sentences and numbers."""
    return Section("outcome", "What came out", list(_blocks(found)))


def _blocks(found: Findings) -> Iterator[Block]:
    spec, data = found.spec, found.run.data
    direction = "highest" if found.metric.mode == "max" else "lowest"
    most = wording.count(spec.budget.max_epochs, "epoch")
    folds = f", each trained on {spec.problem.folds} folds" if spec.problem.folds else ""
    yield Words(
        f"{spec.search.algo} searched {spec.problem.name} on {data.name} "
        f"({data.train} training and {data.validation} validation samples) for the {direction} "
        f"{found.score}, with at most {most} a trial{folds}."
    )
    yield Numbers(list(_numbers(found)))
    ends = [f"{n} {kind.value}" for kind, n in fates(found.trials).items()]
    if ends:
        yield Words(f"Of {wording.count(len(found.trials), 'trial')}: {', '.join(ends)}.")
    runs = _runs(found)
    if found.best is None and (runs or goes_on(found.run)):
        yield Words("No trial has a value to compare yet.")
    elif found.best is None:
        yield Words(f"No trial {why_no_best(found.trials)}: there is no best.", "warning")
    else:
        among = " of the trials that have ended" if runs else ""
        yield Words(f"The best{among} is trial {found.best_number}; its config:")
        entries = found.best.config.items()
        yield Facts([(name, wording.value(entry)) for name, entry in entries])
        if others := _other_metrics(found):
            yield Words(f"At its best epoch it has {others}.")
        if found.changes_configs:
            yield Words("Its config changed while it trained; this is what it ended with.", "note")
    yield from _baselines(found)
    yield from _repeats(found)
    if found.trials and not found.pauses and (where := time_spent(found.trials)):
        yield Words(where)


def _runs(found: Findings) -> bool:
    """Whether the search runs: then "Now" has the best of all trials."""
    return found.live is not None and not found.live.is_over and found.live.phase == "search"


def _numbers(found: Findings) -> Iterator[tuple[str, str]]:
    result, best = found.run.result, found.best
    if found.run.looks:
        yield from test_numbers(found)
    if found.repeats:
        name, first = found.repeats[0]
        mean = f"{shown_score(first.mean)} ± {shown_score(first.error, like=first.mean)}"
        yield "winner of the repeats", f"trial {name}: {mean}"
    if best is not None and best.value is not None:
        spread = best.metrics.get(f"{found.score}_std")
        over = "" if spread is None else f" ± {shown_score(spread, like=best.value)} over folds"
        among = ", ended trials" if _runs(found) else ""  # a running one may be better
        yield f"best {found.score}{among}", f"{shown_score(best.value)}{over}"
        yield "at epoch", f"{best.best_epoch} of {best.epochs}"
    yield "trials", f"{len(found.trials)}"
    yield "epochs trained", f"{result.epochs}"
    yield "epochs saved", f"{result.epochs_saved}"
    if found.trials:
        yield (
            "from first start to last end",
            wording.duration(60 * timeline_data(found.trials).minutes),
        )


def _other_metrics(found: Findings) -> str:
    """The other metrics of the best trial."""
    metrics = found.best.metrics if found.best else {}
    names = [name for name in METRICS if name in metrics and name != found.score]
    return ", ".join(f"{name} {shown_score(metrics[name])}" for name in names)


def _baselines(found: Findings) -> Iterator[Block]:
    """Quick models beside the best trial."""
    rows = {name: f for name, f in found.run.baselines.items() if found.score in f}
    if rows:
        yield from _scores(found, rows)
    if missing := left_out(found.run.baselines):
        yield Words(f"{missing.capitalize()}.", "note")


def _scores(found: Findings, rows: Baselines) -> Iterator[Block]:
    names = [name for name in METRICS if any(name in metrics for metrics in rows.values())]
    if found.best is not None:
        rows = {"the best trial": found.best.metrics, **rows}
    folds = found.spec.problem.folds
    mean = f", mean over {folds} folds" if folds else ""
    yield Words(f"Quick models of scikit-learn on the same training and validation samples{mean}:")
    told = [
        [model, *(shown_score(metrics[n]) if n in metrics else "" for n in names)]
        for model, metrics in rows.items()
    ]
    yield Table(["model", *names], told)


def _repeats(found: Findings) -> Iterator[Block]:
    if not found.repeats:
        return
    sign = "plus" if found.metric.mode == "min" else "minus"
    yield Words(
        "The best configs were trained again with other seeds. Trial "
        f"{found.repeats[0][0]} is the winner: it has the best mean {sign} one standard "
        "error, and evaluate.py and export.py take it."
    )
    yield Table(
        ["trial", "mean", "standard error", "seeds", "config"],
        [
            [
                name,
                shown_score(r.mean),
                shown_score(r.error, like=r.mean),
                f"{len(r.values)}",
                wording.config(found.space.without_idle(r.config)),
            ]
            for name, r in found.repeats
        ],
    )


def time_spent(trials: Sequence[FinishedTrial]) -> str:
    """Where the time of all places went, in a sentence; "" if the trainable did not report how long
    its epochs took."""
    line = timeline_data(trials)
    training = sum(s or 0.0 for trial in trials for s in trial.curves.get("seconds", ()))
    held = sum(trial.seconds for trial in trials)
    if not (training and held and line.busy):
        return ""
    total = held / line.busy
    shares = training / total, max(0.0, held - training) / total, 1 - line.busy
    if shares[1] + shares[0] > 1.01 or training > held:  # several trainings at once in a trial
        return ""
    return (
        f"Where the time of {wording.count(len(line.places), 'place')} went: {shares[0]:.0%} into "
        f"training, {shares[1]:.0%} into starting, saving and waiting inside trials; "
        f"{shares[2]:.0%} passed without a trial."
    )
