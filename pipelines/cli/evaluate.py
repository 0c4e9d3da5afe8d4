"""``evaluate.py``: scores the winner on the test set, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.options import to_type
from pipelines.cli.report import look_lines, report_line
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain
from pipelines.cli.training import counted, for_training, select_among, warn_if_unfinished
from pipelines.record.looks import Look
from pipelines.record.scores import shown_score
from pipelines.study.references import is_importable
from pipelines.study.runs import Run, open_run
from pipelines.study.typed import shown
from pipelines.winner.candidates import Candidate, chosen_of
from pipelines.winner.evaluation import check_first_look, evaluate, evaluate_kept
from pipelines.winner.settings import EvaluationSettings
from pipelines.winner.trained import check_again, kept_of, trained_alone
from pipelines.winner.training import give_trainable
from trainables.training.trainable import Trainable


def run_evaluation(
    folder: Path,
    settings: EvaluationSettings,
    where: Address,
    console: Console | None = None,
    trainable: Trainable | None = None,
) -> Look:
    """Print the scores on the test set, and return them. ``trainable`` is the user's own function,
    if it cannot be imported.

    Raises ``ValueError``, before anything is trained, if there is nothing to evaluate.
    """
    console = console or Terminal()
    run = open_run(folder)
    check_first_look(run, again=settings.again)
    chosen = chosen_of(run, settings)
    give_trainable(run, trainable)
    again = settings.seeds or settings.ensemble or not chosen[0].trial.changes
    as_kept = not again and kept_of(run, chosen[0])
    if not as_kept:
        check_again(run, settings, chosen)
    warn_if_unfinished(run, console)
    if as_kept:
        look = _as_kept(run, chosen[0], settings, console)
    else:
        look = _trained_again(run, chosen, settings, where, console)
    print_lines(console, look_lines(open_run(folder)))
    print_plain(console, report_line(folder))
    if not is_importable(run.spec.problem.trainable):
        return look
    seeds = None if look.kept else settings.n_seeds
    as_tested = {"trial": settings.trial, "ensemble": settings.ensemble, "seeds": seeds}
    address = None if look.kept else where.address  # where it trains again
    to_export = to_type("export", str(shown(folder)), "model", **as_tested, address=address)
    print_plain(console, f"next      {to_export}")
    return look


def _trained_again(
    run: Run,
    chosen: list[Candidate],
    settings: EvaluationSettings,
    where: Address,
    console: Console,
) -> Look:
    seeds = settings.n_seeds
    with for_training(run, where, console) as check:
        print_lines(console, _configs(run, chosen))
        check()
        taken = select_among(run, chosen, console)
        print_plain(console, _plan(taken, seeds))
        done = counted(console, len(taken) * seeds)
        return evaluate(run, taken, seeds, done, among=len(chosen), again=settings.again)


def _as_kept(run: Run, one: Candidate, settings: EvaluationSettings, console: Console) -> Look:
    trained = trained_alone(run, one)
    print_lines(console, _configs(run, [one]))
    print_plain(
        console,
        "tested    the weights that the search kept, trained on train alone "
        f"({len(trained.data.x_train)} samples): this trial took over weights of another, so it "
        "cannot be trained again by itself",
    )
    return evaluate_kept(run, trained, again=settings.again)


def _configs(run: Run, chosen: list[Candidate]) -> Iterator[str]:
    for c in chosen:
        at = f"{c.epochs} of {c.max_epochs} epochs, as in the search"
        score = f"{run.metric} {shown_score(c.trial.value)}"
        yield f"trial {c.number:<4}{score}, {at}: {format_config(c.trial.config, run.space)}"


def _plan(taken: list[Candidate], seeds: int) -> str:
    together = ", an ensemble of them" if len(taken) > 1 else ""
    other = f"{seeds} other seed{'s' * (seeds > 1)}"
    return f"training  on train + validation with {other}{together}"
