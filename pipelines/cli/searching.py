"""``run.py``: from checked settings to a search and its exit code."""

from __future__ import annotations

from pipelines.cli.connection import Connection
from pipelines.cli.run_options import RunOptions
from pipelines.cli.text import Terminal, print_plain
from pipelines.study.spec import StudySpec


def run_search(spec: StudySpec, where: Connection, options: RunOptions) -> int:
    """Search, or only print what ``options`` ask for. Returns the exit code.

    Raises ``ValueError``, before anything is written, if the search cannot run.
    """
    if options.print_study:
        from pipelines.study.study_file import study_file

        print(study_file(spec), end="")
        return 0
    if options.plot_schedule and spec.problem.trainable:
        raise ValueError(f"`plot_schedule` is only for a `model`, not for {spec.problem.trainable}")

    from pipelines.study.interrupts import interruptible

    if options.resume is None:
        with interruptible():
            return _search(spec, where, options)
    from pipelines.record.lock import holding
    from pipelines.study.runs import open_run

    with interruptible(), holding(open_run(options.resume).files):
        return _search(spec, where, options)


def _search(spec: StudySpec, where: Connection, options: RunOptions) -> int:
    from pipelines.cluster.importing import importing

    with importing():
        from pipelines.cluster.connect import LOCAL, check_address, connecting
        from pipelines.study.ahead import IMPORTS, job_of
        from pipelines.study.fit import check_trial_here

    console = Terminal()
    check_address(where.address)
    if where.address == LOCAL:
        check_trial_here(spec.resources)
    study = None
    if options.resume is not None:
        from pipelines.study.resume.left import nothing_left
        from pipelines.study.resume.resuming import resume

        study = resume(options.resume, spec)
        if why := nothing_left(study):
            from pipelines.cli.late_end import run_end

            return run_end(study, why, console, dry_run=options.dry_run)
    dashboard = where.dashboard and not options.dry_run
    job = job_of(spec)
    with connecting(where.address, dashboard=dashboard, modules=IMPORTS, job=job) as connected:
        # Done while Ray starts: loading the libraries and the data takes as long.
        with importing():
            from pipelines.cli.launch import exit_code, launch, show_plan
            from pipelines.cli.report import report_line
            from pipelines.study.prepare import prepare

        study = study or prepare(spec)
        if options.dry_run:
            show_plan(study, connected, console, options.node_price)
            return 0
        code = exit_code(launch(study, connected, console))
    print_plain(console, report_line(study.folder, ends_search=True))
    if options.plot_schedule and code == 0:
        from pipelines.results.schedule import write_schedule

        print(f"schedule  {write_schedule(study.folder)}")
    return code
