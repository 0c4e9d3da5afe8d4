"""``lr_range_test.py``: makes the test, saves it, and says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pipelines.cli.search_command import search_command
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain
from pipelines.recipe.saving import save_figures, save_test
from pipelines.recipe.settings import LimitSettings, SweepSettings
from pipelines.recipe.subject import Subject, SubjectSettings, find_subject
from pipelines.results.figures.lr_range import range_figure
from pipelines.study.folders import new_output_folder
from pipelines.study.typed import shown
from search_spaces import SPACES
from trainables.data.datasets import TrialData, describe
from trainables.device.share import pick_device, set_threads
from trainables.networks import NETWORKS
from trainables.smith.lr_range_rule import MIN_POINTS
from trainables.smith.lr_range_test import Bounds, RangeTest, bounds_to_search, run_range_test
from trainables.training.batches import batch_bounds

FIGURE, RECORD = "lr_range.html", "lr_range.json"


def run_lr_range_test(
    settings: SubjectSettings, sweep: SweepSettings, limits: LimitSettings
) -> None:
    """Raises ``ValueError`` if the test cannot be made, or finds nothing."""
    subject = find_subject(settings)
    data = subject.load()
    folder = new_output_folder(limits.output, "lr_range", f"{data.name}-{subject.model}")
    set_threads(limits.cpus)

    def run(seed: int) -> RangeTest:
        return run_range_test(
            NETWORKS[subject.model],
            subject.config,
            data,
            growth=sweep.growth,
            low=sweep.low,
            high=sweep.high,
            iterations=_iterations(sweep, subject, data),
            seed=seed,
            device=pick_device(1),
        )

    test, bounds = bounds_to_search(run, subject.seed, sweep.divisor)
    found = {"bounds": asdict(bounds), "test": test.as_dict()}
    save_test(folder, RECORD, subject, data, found)
    save_figures(folder, subject, data, {FIGURE: range_figure(test, bounds)})
    console = Terminal()
    print_plain(console, f"data      {describe(data)}")
    print_lines(console, _lines(subject, data, test, bounds, folder))


def _iterations(sweep: SweepSettings, subject: Subject, data: TrialData) -> int | None:
    if sweep.epochs is None:
        return sweep.iterations
    batch_size = NETWORKS[subject.model].config.from_dict(subject.config).batch_size
    per_epoch = len(batch_bounds(len(data.x_train), batch_size))
    return max(MIN_POINTS, round(sweep.epochs * per_epoch))


def _lines(
    subject: Subject, data: TrialData, test: RangeTest, bounds: Bounds, folder: Path
) -> Iterator[str]:
    unused = ("lr", "policy", *NETWORKS[subject.model].without_use(data))
    values = {name: value for name, value in subject.config.items() if name not in unused}
    yield f"config    {format_config(values)}"
    epochs = test.iterations / test.iterations_per_epoch
    yield (
        f"sweep     {subject.model}: {test.iterations} iterations ({epochs:.1f} epochs) at lr "
        f"{test.low:g} .. {test.high:g}, {test.growth} growth"
    )
    if test.stopped:
        yield f"stopped   at lr {test.lrs[-1]:.3g}: {test.stopped}"
    yield f"curve     {bounds.reason}"
    yield f"bounds    base_lr {bounds.base_lr:.3g}  max_lr {bounds.max_lr:.3g}"
    yield f"figure    {shown(folder / FIGURE)}"
    yield f"numbers   {shown(folder / RECORD)}"
    yield f"next      {_next_command(subject, bounds)}"


def _next_command(subject: Subject, bounds: Bounds) -> str:
    """A search of the same problem in the range of learning rates that the test found, with the
    tested optimiser."""
    fixed = None
    if "optimizer" in subject.config and "optimizer" in SPACES[subject.model].domains:
        fixed = {"optimizer": subject.config["optimizer"]}
    low, high = bounds.to_search
    band = f"{low:.3g}..{high:.3g}"
    return search_command(subject, range={"lr": band}, fix=fixed)
