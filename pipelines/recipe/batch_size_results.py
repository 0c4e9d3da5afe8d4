"""What a batch size test has found, in a folder and in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from pipelines.cli.display import format_config, shown
from pipelines.figures import save
from pipelines.figures.batch_size import batch_size_figure
from pipelines.recipe.fitting import batch_size_up_to
from pipelines.recipe.subject import Subject, search_command
from search_spaces import SPACES
from trainables.data.datasets import TrialData, describe
from trainables.device.step_memory import format_bytes
from trainables.smith.batch_size import BatchSizeTest
from trainables.smith.batch_size_rule import KNEE, scale_lr

FIGURE, RECORD = "batch_size.html", "batch_size.json"


@dataclass(frozen=True)
class LRScaling:
    """The learning rate grows with the batch from ``lr`` at ``batch_size`` on."""

    rule: str
    lr: float
    batch_size: int

    def at(self, batch_size: int) -> float:
        return scale_lr(self.lr, self.batch_size, batch_size, self.rule)


def save_results(
    folder: Path,
    subject: Subject,
    data: TrialData,
    test: BatchSizeTest,
    bound: float | None,
    device: torch.device,
    scaling: LRScaling | None,
) -> None:
    """Make ``folder``, with the figure and all numbers in it."""
    content = {
        **asdict(subject),
        "data_fingerprint": data.fingerprint,
        "device": device_name(device),
        "torch": torch.__version__,
        "memory_bound": bound,
        "scaling": None if scaling is None else asdict(scaling),
        "scaled_lrs": None if scaling is None else [scaling.at(r.batch_size) for r in test.rows],
        "test": test.as_dict(),
    }
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    save(batch_size_figure(test), folder / FIGURE)


def lines(
    subject: Subject,
    data: TrialData,
    test: BatchSizeTest,
    bound: float | None,
    device: torch.device,
    scaling: LRScaling | None,
    folder: Path,
) -> Iterator[str]:
    """The table, what to read off it, and what to type next."""
    unused = ("lr", "policy", "batch_size")
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
    yield f"figure    {shown(folder / FIGURE)}"
    yield f"numbers   {shown(folder / RECORD)}"
    searched = batch_size_up_to(SPACES[subject.model], test.knee)
    yield f"next      {search_command(subject, '--fix', f'batch_size={searched}')}"


def table_lines(test: BatchSizeTest, scaling: LRScaling | None) -> Iterator[str]:
    """A line for each batch: samples per second, memory, and the scaled learning rate."""
    lr_head = "" if scaling is None else f"  lr, {scaling.rule} from {scaling.lr:g}"
    yield f"{'batch':>9}  {'samples/s':>10}  {'memory':>8}{lr_head}"
    for row in test.rows:
        lr = "" if scaling is None else f"  {scaling.at(row.batch_size):.4g}"
        yield (
            f"{row.batch_size:>9}  {row.samples_per_second:>10.0f}  "
            f"{format_bytes(row.memory):>8}{lr}"
        )


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU and the threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def _lr_at(batch_size: int, scaling: LRScaling | None) -> str:
    return "" if scaling is None else f"; lr {scaling.at(batch_size):.4g}"
