"""The LR range test: ``python pipelines/lr_range_test.py --model cnn --data digits``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.arguments import choice, new_output_folder, option, real, whole
from pipelines.cli.command import main
from pipelines.cli.options import ConfigFile, Cpus, Target, output_folder
from pipelines.recipe.subject import Subject, find_subject, search_command
from search_spaces import SPACES
from trainables.smith.lr_range_rule import MIN_POINTS

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks import Network
    from trainables.smith.lr_range_test import Bounds, Growth, RangeTest

_NETWORK, _DATA, _SWEEP = "Network", "Data", "Sweep"
_GROWTHS: dict[str, Growth] = {"exponential": "exponential", "linear": "linear"}

FIGURE, RECORD = "lr_range.html", "lr_range.json"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def lr_range_test(
    model: Annotated[
        Any, choice(SPACES, "The network to train.", _NETWORK, show_default="mlp, or the run's")
    ] = None,
    config: ConfigFile = None,
    from_: Annotated[
        Any,
        option(
            Path,
            "A run whose best trial's hyperparameters to take.",
            _NETWORK,
            "run",
            show_default="none",
            names=["--from"],
        ),
    ] = None,
    data: Annotated[
        Any, option(str, "As for run.py.", _DATA, "name|path", show_default="digits, or the run's")
    ] = None,
    target: Target = None,
    seed: Annotated[
        Any,
        option(
            whole(0), "Of the split and the training.", _DATA, "n", show_default="0, or the run's"
        ),
    ] = None,
    growth: Annotated[
        str, choice(_GROWTHS, "How the learning rate rises.", _SWEEP)
    ] = "exponential",
    low: Annotated[float, option(real(0), "The first learning rate.", _SWEEP, "lr")] = 1e-5,
    high: Annotated[
        Any,
        option(
            real(0),
            "The last learning rate.",
            _SWEEP,
            "lr",
            show_default="10; linear: 1, with AdamW 0.1",
        ),
    ] = None,
    iterations: Annotated[
        Any,
        option(
            whole(MIN_POINTS),
            "Optimiser steps from the first to the last.",
            _SWEEP,
            "n",
            show_default="4 epochs, in 150 .. 400",
        ),
    ] = None,
    epochs: Annotated[
        Any, option(real(0), "The same in epochs.", _SWEEP, "n", show_default="as above")
    ] = None,
    divisor: Annotated[
        float, option(real(1), "base_lr is max_lr over this, 10 or 100.", _SWEEP, "n")
    ] = 10,
    cpus: Cpus = 1,
    output: Annotated[Any, output_folder("lr_range/DATA-MODEL-TIME")] = None,
) -> None:
    """Train while the learning rate rises, and say from where to where it is of use."""
    # Imported here so that --help and a mistyped option answer at once: torch takes seconds.
    from rich.console import Console

    from pipelines.cli.display import print_plain
    from trainables.data.datasets import describe, load
    from trainables.device.share import pick_device, set_threads
    from trainables.networks import NETWORKS
    from trainables.smith.lr_range_test import run_range_test, suggest_bounds

    if iterations is not None and epochs is not None:
        raise ValueError(f"--iterations {iterations} and --epochs {epochs:g}: give one of the two")
    subject = find_subject(
        model=model, data=data, target=target, seed=seed, config=config, run=from_
    )
    network = NETWORKS[subject.model]
    loaded = load(
        subject.data, target=subject.target, fraction=subject.data_fraction, seed=subject.seed
    )
    folder = new_output_folder(output, "lr_range", f"{loaded.name}-{subject.model}")
    set_threads(cpus)
    if epochs is not None:
        iterations = _iterations(epochs, network, subject, loaded)
    test = run_range_test(
        network,
        subject.config,
        loaded,
        growth=_GROWTHS[growth],
        low=low,
        high=high,
        iterations=iterations,
        seed=subject.seed,
        device=pick_device(1),
    )
    bounds = suggest_bounds(test.lrs, test.train_losses, divisor)
    _save(folder, subject, loaded, test, bounds)
    console = Console(highlight=False)
    print_plain(console, f"data      {describe(loaded)}")
    for line in _lines(subject, test, bounds, folder):
        print_plain(console, line)


def _iterations(epochs: float, network: Network, subject: Subject, data: TrialData) -> int:
    from trainables.training.batches import batch_bounds

    batch_size = network.config.from_dict(subject.config).batch_size
    return max(MIN_POINTS, round(epochs * len(batch_bounds(len(data.x_train), batch_size))))


def _save(folder: Path, subject: Subject, data: TrialData, test: RangeTest, bounds: Bounds) -> None:
    from pipelines.figures import save
    from pipelines.figures.lr_range import range_figure

    content = {
        **asdict(subject),
        "data_fingerprint": data.fingerprint,
        "bounds": asdict(bounds),
        "test": test.as_dict(),
    }
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    save(range_figure(test, bounds), folder / FIGURE)


def _lines(subject: Subject, test: RangeTest, bounds: Bounds, folder: Path) -> Iterator[str]:
    from pipelines.cli.display import format_config, shown

    unused = ("lr", "policy")
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
    """A search of the same problem between the bounds, with the optimiser that they are for."""
    words = ["--range", f"lr={bounds.base_lr:.3g}..{bounds.max_lr:.3g}"]
    if "optimizer" in subject.config and "optimizer" in SPACES[subject.model].domains:
        words += ["--fix", f"optimizer={subject.config['optimizer']}"]
    return search_command(subject, *words)


if __name__ == "__main__":
    sys.exit(main(app))
