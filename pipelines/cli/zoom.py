"""``zoom.py``: prints the ranges that a search would take from a run."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli.options import to_type
from pipelines.cli.text import Terminal, print_plain
from pipelines.cli.visible import visible
from pipelines.results.sections.again import by_default, options
from pipelines.study.runs import Run, open_run
from pipelines.study.spec import StudySpec
from pipelines.study.zoom import QUANTILE, zoom, zoom_lines
from trainables.training.metrics import METRICS


def print_zoom(folder: Path, quantile: float) -> None:
    """Raises ``ValueError`` if ``folder`` is not a run, or if it has too few sound trials."""
    run = open_run(folder)
    _, changes = zoom(run.space, run.finished, METRICS[run.metric], quantile)
    console = Terminal()
    for line in zoom_lines(changes):
        console.print(visible(line), markup=False, soft_wrap=True)
    if quantile != QUANTILE:
        print_plain(console, f"note      --zoom-from takes the top {QUANTILE:.0%} of the trials")
    print_plain(console, f"next      {_next_command(folder, run)}")


def _next_command(folder: Path, run: Run) -> str:
    """A search of the same problem: the command must give what --zoom-from does not take over."""
    spec = run.spec
    same = StudySpec.model_validate(
        {
            "problem": spec.problem,
            # also the split's seed, unless the problem has its own
            "search": {"seed": spec.search.seed},
            "space": {"max_parameters": spec.space.max_parameters},
        }
    )
    return to_type("run", *options(same, but=by_default(run)), zoom_from=folder, algo="gp")
