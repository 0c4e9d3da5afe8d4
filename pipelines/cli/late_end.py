"""Finishes a search whose driver was killed, or left, after the last trial."""

from __future__ import annotations

import time

from rich.console import Console

from pipelines.cli.launch import exit_code
from pipelines.cli.onward import to_go_on
from pipelines.cli.report import report_line
from pipelines.cli.summary import summary_lines
from pipelines.cli.text import print_lines, print_plain
from pipelines.record.baselines import Baselines, with_late, write_baselines
from pipelines.results.endings import unfinished
from pipelines.study.baseline import BaselineProcess
from pipelines.study.finish import finish
from pipelines.study.repeats import crown
from pipelines.study.result import StudyResult
from pipelines.study.resume.left import budget_to_go_on, searched
from pipelines.study.run_study import end_run
from pipelines.study.runs import Run, open_run
from pipelines.study.study import Study
from pipelines.study.typed import shown
from trainables.baselines import MODELS

_PATIENCE = 30.0  # seconds for the quick models, which need not wait for trials


def run_end(study: Study, why: str, console: Console, *, dry_run: bool) -> int:
    """Say that nothing is left to train, and ``why``; then do what else is left. Returns the exit
    code."""
    said = f"complete  {shown(study.folder)}: {why}"
    more = budget_to_go_on(study)
    onward = [] if more is None else [f"go on     {to_go_on(study, None, more)}"]
    if dry_run or has_end(open_run(study.folder)):
        print_plain(console, f"{said}; ask for more trials, or for another bound")
        print_lines(console, onward)
        return 0
    print_plain(console, f"{said}; its results are written now")
    code = exit_code(end(study, console))
    print_lines(console, onward)
    print_plain(console, report_line(study.folder, ends_search=True))
    return code


def has_end(run: Run) -> bool:
    """Whether a driver has done everything that comes after the last trial. The files alone do not
    say so: those of a search that went on may be from before."""
    if unfinished(run) or not run.sessions[-1].has_results:
        return False
    files = run.files
    written = [files.table, files.report, *([files.winner] if run.best else [])]
    return all(path.is_file() for path in written) and not files.live.exists()


def end(study: Study, console: Console) -> StudyResult:
    """Do everything that comes after the last trial, and print the results. The study must have
    nothing left to train. It needs no Ray."""
    assert study.resumed is not None
    print_lines(console, study.notes)
    result = searched(study)
    assert result is not None  # nothing is left to train
    finish(study, result)
    repeats = crown(study, study.resumed.repeats.trials, result.trials)
    repeated = bool(study.spec.budget.repeats) and result.best is not None
    end_run(study, "repeats" if repeated else "search")
    baselines = _baselines(study, console)
    print_lines(console, summary_lines(study, result, None, repeats, baselines))
    return result


def _baselines(study: Study, console: Console) -> Baselines:
    """The quick models of the search. Those that it did not wait for are fitted now."""
    run, task = open_run(study.folder), study.data.task
    if not study.spec.run.baseline or len(run.baselines) == len(MODELS[task]):
        return run.baselines
    print_plain(console, f"waiting   at most {_PATIENCE:g}s for the quick models")
    began = time.monotonic()
    with BaselineProcess(study.folds) as baseline:
        baseline.start()
        found: Baselines = {**run.baselines, **baseline.result(_PATIENCE)}
        if baseline.failure:
            print_plain(console, f"warning   {baseline.failure}")
        else:
            found = with_late(found, task, time.monotonic() - began)
    write_baselines(run.files.baselines, found)
    return found
