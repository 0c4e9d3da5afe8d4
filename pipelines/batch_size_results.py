"""What a batch size test has found, in a folder and in words."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from pipelines.display import format_config
from pipelines.figures import save
from pipelines.figures.batch_size import batch_size_figure
from pipelines.range_config import Subject
from search_spaces import SPACES, Choice
from trainables.batch_size import BatchSizeTest
from trainables.batch_size_rule import KNEE, scale_lr
from trainables.datasets import TrialData, describe
from trainables.step_memory import format_bytes

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
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    yield f"figure    {shown / FIGURE}"
    yield f"numbers   {shown / RECORD}"
    yield f"next      {_next_command(subject, test.knee)}"


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


def searchable(model: str, batch_size: int) -> int:
    """The largest batch size in the model's search space that is no larger than ``batch_size``;
    the smallest there is where none is."""
    domain = SPACES[model].domains["batch_size"]
    assert isinstance(domain, Choice)
    sizes = sorted(int(option) for option in domain.options)
    return max((size for size in sizes if size <= batch_size), default=sizes[0])


def _lr_at(batch_size: int, scaling: LRScaling | None) -> str:
    return "" if scaling is None else f"; lr {scaling.at(batch_size):.4g}"


def _next_command(subject: Subject, knee: int) -> str:
    """A search of the same problem with the batch at the knee, or the next smaller in the space."""
    script = Path(sys.argv[0]).with_name("run.py")
    words = ["python", str(script), "--model", subject.model, "--data", subject.data]
    if subject.target is not None:
        words += ["--target", subject.target]
    if subject.seed:
        words += ["--seed", str(subject.seed)]
    words += ["--fix", f"batch_size={searchable(subject.model, knee)}"]
    return shlex.join(words)
