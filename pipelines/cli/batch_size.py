"""``batch_size.py``: makes the test, saves it, and says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from pipelines.cli.search_command import search_command
from pipelines.cli.text import Terminal, format_config, print_lines
from pipelines.recipe.fitting import batch_size_up_to
from pipelines.recipe.saving import device_name, machine, save_figures, save_test
from pipelines.recipe.settings import BatchSizeSettings, LimitSettings, ScalingSettings
from pipelines.recipe.subject import Subject, SubjectSettings, find_subject
from pipelines.results.figures.batch_size import batch_size_figure
from pipelines.study.folders import new_output_folder
from pipelines.study.typed import shown
from search_spaces import SPACES
from trainables.data.datasets import TrialData, describe
from trainables.device.byte_sizes import format_bytes
from trainables.device.share import pick_device, set_threads
from trainables.device.step_memory import default_bound
from trainables.networks import NETWORKS
from trainables.smith.batch_size import BatchSizeTest, run_batch_size_test
from trainables.smith.batch_size_rule import KNEE

FIGURE, RECORD = "batch_size.html", "batch_size.json"


def run_batch_size(
    settings: SubjectSettings,
    step: BatchSizeSettings,
    scaling: ScalingSettings,
    limits: LimitSettings,
) -> None:
    """Raises ``ValueError`` if the test cannot be made, or finds nothing."""
    subject = find_subject(settings)
    data = subject.load()
    folder = new_output_folder(limits.output, "batch_size", f"{data.name}-{subject.model}")
    set_threads(limits.cpus)
    device = pick_device(step.gpus)
    bound = default_bound(device) if step.memory is None else step.memory
    test = run_batch_size_test(
        NETWORKS[subject.model],
        subject.config,
        data,
        memory=bound,
        seed=subject.seed,
        device=device,
    )
    asked = scaling.asked
    found = {
        **machine(device),
        "memory_bound": bound,
        "scaling": scaling.model_dump() if asked else None,
        "scaled_lrs": [scaling.at(r.batch_size) for r in test.rows] if asked else None,
        "test": test.as_dict(),
    }
    save_test(folder, RECORD, subject, data, found)
    searched = batch_size_up_to(SPACES[subject.model], test.knee)
    save_figures(folder, subject, data, {FIGURE: batch_size_figure(test, searched)})
    print_lines(Terminal(), _lines(subject, data, test, searched, bound, device, scaling, folder))


def _lines(
    subject: Subject,
    data: TrialData,
    test: BatchSizeTest,
    searched: int,
    bound: float | None,
    device: torch.device,
    scaling: ScalingSettings,
    folder: Path,
) -> Iterator[str]:
    """The table, what it shows, and what to type next."""
    unused = ("lr", "policy", "batch_size", *NETWORKS[subject.model].without_use(data))
    values = {name: value for name, value in subject.config.items() if name not in unused}
    within = "" if bound is None else f", at most {format_bytes(bound)} a step"
    yield f"data      {describe(data)}"
    yield f"config    {subject.model}: {format_config(values)}"
    yield f"device    {device_name(device)}{within}"
    yield from table_lines(test, scaling)
    yield (
        f"knee      {test.knee}: the smallest batch with {KNEE:.0%} of the highest throughput"
        f"{_lr_at(test.knee, scaling)}"
    )
    yield f"largest   {test.largest}: {test.stopped}{_lr_at(test.largest, scaling)}"
    if searched != test.knee:
        yield f"chosen    {searched}: of the sizes that a search tries, the nearest to the knee"
    yield f"figure    {shown(folder / FIGURE)}"
    yield f"numbers   {shown(folder / RECORD)}"
    yield f"next      {search_command(subject, fix={'batch_size': searched})}"


def table_lines(test: BatchSizeTest, scaling: ScalingSettings) -> Iterator[str]:
    """A line for each batch: samples per second, memory, and the scaled learning rate."""
    lr_head = f"  lr, {scaling.scale_lr} from {scaling.lr:g}" if scaling.asked else ""
    yield f"{'batch':>9}  {'samples/s':>10}  {'memory':>8}{lr_head}"
    for row in test.rows:
        lr = f"  {scaling.at(row.batch_size):.4g}" if scaling.asked else ""
        yield (
            f"{row.batch_size:>9}  {row.samples_per_second:>10.0f}  "
            f"{format_bytes(row.memory):>8}{lr}"
        )


def _lr_at(batch_size: int, scaling: ScalingSettings) -> str:
    return f"; lr {scaling.at(batch_size):.4g}" if scaling.asked else ""
