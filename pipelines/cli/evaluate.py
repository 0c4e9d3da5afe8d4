"""``evaluate.py``: the test set, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.report import look_lines, report_line
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain
from pipelines.cluster.connect import LOCAL, check_address, connecting
from pipelines.record.looks import Look
from pipelines.study.fit import check_trial, check_trial_here
from pipelines.study.runs import Run, open_run
from pipelines.winner.candidates import Candidate, best_candidates, candidate, winner
from pipelines.winner.evaluation import check_first_look, evaluate
from pipelines.winner.settings import EvaluationSettings

_OF_A_TRAINING = ("pipelines.winner.one_training", "trainables.training.fit")


def run_evaluation(
    folder: Path, settings: EvaluationSettings, where: Address, console: Console | None = None
) -> Look:
    """What the test set has shown, which is printed too.

    Raises ``ValueError``, before anything is trained, where there is nothing to evaluate.
    """
    console = console or Terminal()
    run = open_run(folder)
    check_first_look(run, again=settings.again)
    chosen = _candidates(run, settings)
    resources = run.spec.resources
    check_address(where.address)
    if where.address == LOCAL:
        check_trial_here(resources)
    with connecting(where.address, dashboard=False, modules=_OF_A_TRAINING) as connected:
        print_lines(console, _plan(run, chosen, settings.seeds))
        check_trial(connected().nodes_at_most(), resources)
        total = len(chosen) * settings.seeds

        def done(n: int) -> None:
            print_plain(console, f"trained   {n} of {total}")

        look = evaluate(run, chosen, settings.seeds, done)
    print_lines(console, look_lines(open_run(folder)))
    print_plain(console, report_line(folder))
    return look


def _candidates(run: Run, settings: EvaluationSettings) -> list[Candidate]:
    if settings.ensemble is not None:
        return list(best_candidates(run, settings.ensemble))
    return [winner(run) if settings.trial is None else candidate(run, settings.trial)]


def _plan(run: Run, chosen: list[Candidate], seeds: int) -> Iterator[str]:
    for c in chosen:
        at = f"{c.epochs} of {run.spec.budget.max_epochs} epochs, as in the search"
        yield f"trial {c.number:<4}{run.metric} {c.trial.value:.4f}, {at}: " + format_config(
            c.trial.config, run.space
        )
    together = ", an ensemble of them" if len(chosen) > 1 else ""
    yield f"training  on train + validation with {seeds} other seeds{together}"
