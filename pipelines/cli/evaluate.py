"""``evaluate.py``: the test set, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.options import to_type
from pipelines.cli.report import look_lines, report_line
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain
from pipelines.cli.training import counted, for_training, select_among
from pipelines.record.looks import Look
from pipelines.record.scores import shown_score
from pipelines.study.runs import Run, open_run
from pipelines.study.typed import shown
from pipelines.winner.candidates import Candidate, chosen_of
from pipelines.winner.evaluation import check_first_look, evaluate
from pipelines.winner.settings import EvaluationSettings


def run_evaluation(
    folder: Path, settings: EvaluationSettings, where: Address, console: Console | None = None
) -> Look:
    """What the test set has shown, which is printed too.

    Raises ``ValueError``, before anything is trained, where there is nothing to evaluate.
    """
    console = console or Terminal()
    run = open_run(folder)
    check_first_look(run, again=settings.again)
    chosen = chosen_of(run, settings)
    with for_training(run, where) as check:
        print_lines(console, _configs(run, chosen))
        check()
        taken = select_among(run, chosen, console)
        print_plain(console, _plan(taken, settings.seeds))
        done = counted(console, len(taken) * settings.seeds)
        look = evaluate(run, taken, settings.seeds, done, among=len(chosen))
    print_lines(console, look_lines(open_run(folder)))
    print_plain(console, report_line(folder))
    as_tested = {"trial": settings.trial, "ensemble": settings.ensemble, "seeds": settings.seeds}
    to_export = to_type("export", str(shown(folder)), "model", **as_tested)
    print_plain(console, f"next      {to_export}")
    return look


def _configs(run: Run, chosen: list[Candidate]) -> Iterator[str]:
    for c in chosen:
        at = f"{c.epochs} of {c.max_epochs} epochs, as in the search"
        score = f"{run.metric} {shown_score(c.trial.value)}"
        yield f"trial {c.number:<4}{score}, {at}: {format_config(c.trial.config, run.space)}"


def _plan(taken: list[Candidate], seeds: int) -> str:
    together = ", an ensemble of them" if len(taken) > 1 else ""
    return f"training  on train + validation with {seeds} other seeds{together}"
