"""What ``from pipelines import ...`` gives to notebooks and scripts."""

from __future__ import annotations

from rich.console import Console

from pipelines.cli.launch import launch
from pipelines.cli.report import report_line
from pipelines.cli.text import print_plain
from pipelines.cluster.connect import LOCAL, check_address, connecting
from pipelines.study.ahead import imports_of_trials
from pipelines.study.fit import check_trial_here
from pipelines.study.prepare import prepare
from pipelines.study.runs import Run, open_run
from pipelines.study.spec import StudySpec
from pipelines.tuner.trial import Trainable
from search_spaces import SearchSpace


def search(
    spec: StudySpec | None = None,
    *,
    trainable: Trainable | None = None,
    space: SearchSpace | None = None,
    address: str | None = None,
    dashboard: bool = True,
    quiet: bool = False,
) -> Run:
    """Run a search here, or on the cluster that this process is connected to, and return its run.

    Args:
        spec: The settings; those that are not given have the defaults of the command line.
        trainable: Your own function, instead of ``spec.problem.trainable``; it needs ``space``.
        space: Your own search space, instead of ``spec.problem.space``.
        address: The Ray cluster to join; ``"local"`` starts Ray here.
        dashboard: Start Ray's dashboard, where Ray is started here.
        quiet: Show nothing.

    Ctrl-C, or the notebook's stop button, ends the search and keeps what it has found.

    Raises:
        ValueError: where the search cannot run, before anything is written.
    """
    spec = spec or StudySpec()
    check_address(address)
    if address == LOCAL:
        check_trial_here(spec.resources)
    console = Console(highlight=False, quiet=quiet)
    with connecting(address, dashboard=dashboard, modules=imports_of_trials(spec)) as connected:
        study = prepare(spec, trainable=trainable, space=space)
        launch(study, connected, console)
    print_plain(console, report_line(study.folder))
    return open_run(study.folder)
