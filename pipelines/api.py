"""What ``from pipelines import ...`` gives to notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.cli.connection import Address
from pipelines.cli.evaluate import run_evaluation
from pipelines.cli.export import run_export
from pipelines.cli.late_end import end, has_end
from pipelines.cli.launch import launch
from pipelines.cli.report import report_line
from pipelines.cli.text import Terminal, print_plain
from pipelines.cluster.connect import LOCAL, check_address, connecting
from pipelines.record.files import RunFiles
from pipelines.record.lock import holding
from pipelines.record.looks import Look
from pipelines.study.ahead import IMPORTS, job_of
from pipelines.study.fit import check_trial_here
from pipelines.study.interrupts import EXIT_CODES, Interrupted
from pipelines.study.prepare import prepare
from pipelines.study.resume.left import nothing_left
from pipelines.study.resume.resuming import resume as resumed_study
from pipelines.study.runs import Run, open_run
from pipelines.study.settings import explained
from pipelines.study.spec import StudySpec
from pipelines.study.study import Study
from pipelines.study.typed import in_python, shown
from pipelines.winner.exported import ExportedModel, load_model
from pipelines.winner.settings import Chosen, EvaluationSettings, ExportSettings
from search_spaces import SearchSpace
from trainables.training.trainable import Trainable


def search(
    spec: StudySpec | None = None,
    *,
    resume: Run | str | Path | None = None,
    trainable: Trainable | None = None,
    space: SearchSpace | None = None,
    address: str | None = None,
    dashboard: bool = True,
    quiet: bool = False,
) -> Run:
    """Run a search here, or on the cluster that this process is connected to, and return its run.

    Args:
        spec: The settings; those that are not given have the defaults of the command line.
        resume: A run to go on with, or its folder. Without ``spec`` it is finished as planned; a
            ``spec`` such as ``open_run(folder).spec.but(budget={"trials": 80})`` extends it.
        trainable: Your own function, instead of ``spec.problem.trainable``; it needs ``space``.
        space: Your own search space, instead of ``spec.problem.space``.
        address: The Ray cluster to join; ``"local"`` starts Ray here.
        dashboard: Start Ray's dashboard, if Ray is started here.
        quiet: Print nothing. A Ray that you have started yourself still shows what trials print,
            unless you started it with ``ray.init(log_to_driver=False)``.

    If Ray itself dies (somebody kills it, or the machine runs out of memory), this process ends
    with exit code 1, a notebook's kernel too: a call to a dead Ray would never return. What the
    search has found is kept, and the last line on stderr says how to go on.

    Raises:
        ValueError: if the search cannot run; nothing is written then.
        KeyboardInterrupt: if Ctrl-C, the notebook's stop button, or a signal has ended the search,
            so that the cells or lines after it do not run. What it has found is kept, and its
            report is written: the message says how to go on.
    """
    if spec is not None and not isinstance(spec, StudySpec):
        raise TypeError(f"`spec` is a {type(spec).__name__}: give StudySpec(problem=..., ...)")
    if space is not None and not isinstance(space, SearchSpace):
        raise TypeError(f"`space` is a {type(space).__name__}: give SearchSpace({{...}})")
    if trainable is not None and not callable(trainable):
        raise TypeError(f"`trainable` is a {type(trainable).__name__}: give the function itself")
    check_address(address)
    console = Terminal(quiet=quiet)
    with ExitStack() as stack:
        before = None
        if resume is not None:
            folder = _folder(resume)
            stack.enter_context(holding(open_run(folder).files))
            before = resumed_study(folder, spec, trainable=trainable, space=space)
            if nothing_left(before):
                if not has_end(open_run(folder)):
                    end(before, console)
                    print_plain(console, report_line(before.folder, ends_search=True))
                return open_run(folder)
            spec = before.spec
        spec = spec or StudySpec()
        if address == LOCAL:
            check_trial_here(spec.resources)
        connected = stack.enter_context(
            connecting(address, dashboard=dashboard, modules=IMPORTS, job=job_of(spec))
        )
        study = before or prepare(spec, trainable=trainable, space=space)
        try:
            result = launch(study, connected, console)
        except Interrupted:  # its traceback would go through Ray Tune
            raise KeyboardInterrupt(_interrupted(study)) from None
    print_plain(console, report_line(study.folder, ends_search=True))
    if result.ended_by in EXIT_CODES:
        raise KeyboardInterrupt(_interrupted(study))
    return open_run(study.folder)


def evaluate_run(
    run: Run | str | Path,
    *,
    trial: int | str | None = None,
    ensemble: int | None = None,
    seeds: int | None = None,
    again: bool = False,
    trainable: Trainable | None = None,
    address: str | None = None,
    quiet: bool = False,
) -> Look:
    """Train the winner of a run again and score it once on the test set; see ``docs/use.md``.

    Args:
        run: What :func:`search` or ``open_run`` returned, or its folder.
        trial: The number of another trial, as in the report.
        ensemble: Select among this many of the best configs, and take their mean prediction.
        seeds: How often each config is trained; five times by default.
        again: Look at the test set once more.
        trainable: Your own function, if the search was given it in Python and this process cannot
            find it: a notebook's or a script's, or one that another function made.
        address: As for :func:`search`.
        quiet: Print nothing.

    Raises:
        ValueError: if there is nothing to evaluate; nothing is trained then.
    """
    given = {"trial": _text(trial), "ensemble": ensemble, "seeds": seeds, "again": again}
    settings = _settings(EvaluationSettings, given)
    console = Terminal(quiet=quiet)
    return run_evaluation(_folder(run), settings, Address(address=address), console, trainable)


def export_model(
    run: Run | str | Path,
    folder: str | Path,
    *,
    trial: int | str | None = None,
    ensemble: int | None = None,
    seeds: int | None = None,
    onnx: bool = False,
    trainable: Trainable | None = None,
    address: str | None = None,
    quiet: bool = True,
) -> ExportedModel:
    """Write the winner of a run into a folder, and load it from there; see ``docs/use.md``.

    Args:
        run: What :func:`search` or ``open_run`` returned, or its folder.
        folder: The folder to write: a new or an empty one.
        trial: The number of another trial, as in the report.
        ensemble: Select among this many of the best configs, and take their mean prediction.
        seeds: How often each config is trained again, on train and validation. By default the
            weights that the search kept are exported, or each config of an ensemble is trained
            once.
        onnx: Write ``model.onnx`` too.
        trainable: Your own function, if the search was given it in Python and this process cannot
            find it: a notebook's or a script's, or one that another function made.
        address: As for :func:`search`, if something is trained again.
        quiet: Print nothing.

    Raises:
        ValueError: if there is nothing to export; nothing is written then. If only ``model.onnx``
            cannot be written, all else is.
    """
    given = {"trial": _text(trial), "ensemble": ensemble, "seeds": seeds, "onnx": onnx}
    settings = _settings(ExportSettings, given)
    console = Terminal(quiet=quiet)
    where = Address(address=address)
    if failed := run_export(_folder(run), Path(folder), settings, where, console, trainable):
        raise ValueError(f"{failed}; load_model({str(folder)!r}) loads the model")
    return load_model(Path(folder).expanduser())


def _interrupted(study: Study) -> str:
    """What an interrupted search has left."""
    folder = shown(study.folder)
    if not RunFiles(study.folder).spec.is_file():
        return "the search had not begun: nothing is written"
    if study.scheduler.pauses:
        return f"{folder} has the finished trials: open_run({str(folder)!r})"
    onward = in_python(study.folder, study.spec.problem.trainable)
    return f"{folder} has the finished trials: go on with {onward}"


def _settings(kind: type[Chosen], given: Mapping[str, Any]) -> Any:
    """Settings of this ``kind``. Raises ``ValueError``, in one line, for a wrong value."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise ValueError(explained(error)) from None


def _folder(run: Run | str | Path) -> Path:
    return run.files.folder if isinstance(run, Run) else Path(run)


def _text(trial: int | str | None) -> str | None:
    return None if trial is None else str(trial)
