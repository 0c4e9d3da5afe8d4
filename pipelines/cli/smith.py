"""``smith.py``: makes the tests of Smith's recipe, saves them, and says what they found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
import yaml

from pipelines.cli.search_command import search_command
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain
from pipelines.recipe.saving import machine, save_figures, save_test
from pipelines.recipe.settings import LimitSettings, ShortRunSettings
from pipelines.recipe.steps import Recipe, run_recipe
from pipelines.recipe.subject import Subject, SubjectSettings, find_subject
from pipelines.record.whole import write_whole
from pipelines.results.figures.batch_size import batch_size_figure
from pipelines.results.figures.lr_range import range_figure
from pipelines.results.figures.short_runs import short_runs_figure
from pipelines.study.folders import new_output_folder
from pipelines.study.narrowing import for_data
from pipelines.study.typed import shown
from search_spaces import SPACES
from trainables.data.datasets import TrialData, describe
from trainables.device.share import pick_device, set_threads
from trainables.device.step_memory import default_bound
from trainables.networks import NETWORKS

CONFIG, RECORD = "config.yaml", "smith.json"


def run_smith(settings: SubjectSettings, short: ShortRunSettings, limits: LimitSettings) -> None:
    """Raises ``ValueError`` if a test cannot be made, or finds nothing."""
    console = Terminal()
    subject = find_subject(settings)
    data = subject.load()
    folder = new_output_folder(limits.output, "smith", f"{data.name}-{subject.model}")
    set_threads(limits.cpus)
    device = pick_device(1)
    print_plain(console, f"data      {describe(data)}")
    recipe = run_recipe(
        NETWORKS[subject.model],
        subject.config,
        SPACES[subject.model],
        data,
        epochs=short.epochs,
        memory=default_bound(device) if short.memory is None else short.memory,
        seed=subject.seed,
        device=device,
        say=lambda line: print_plain(console, line),
    )
    space = for_data(SPACES[subject.model], NETWORKS[subject.model], data)
    print_plain(console, f"config    {format_config(recipe.config, space)}")
    _save(folder, subject, data, recipe, device)
    print_lines(console, _closing_lines(folder, subject))


def _save(
    folder: Path, subject: Subject, data: TrialData, recipe: Recipe, device: torch.device
) -> None:
    """The config is written as a list, for --start-with, and before the figures, which are large:
    the disk may be full."""
    found = {
        **machine(device),
        "found": recipe.config,
        "batch_size": recipe.batch.as_dict(),
        "lr_range": {"bounds": asdict(recipe.bounds), "test": recipe.sweep.as_dict()},
        "momentum": recipe.momentum.as_dict(),
        "weight_decay": recipe.decay.as_dict(),
    }
    figures = {
        "batch_size.html": batch_size_figure(recipe.batch, int(recipe.config["batch_size"])),
        "lr_range.html": range_figure(recipe.sweep, recipe.bounds),
        "momentum.html": short_runs_figure(recipe.momentum),
        "weight_decay.html": short_runs_figure(recipe.decay),
    }
    save_test(folder, RECORD, subject, data, found)
    write_whole(folder / CONFIG, yaml.safe_dump([recipe.config], sort_keys=False))
    save_figures(folder, subject, data, figures)


def _closing_lines(folder: Path, subject: Subject) -> Iterator[str]:
    """Where everything lies, and what to type next."""
    where = shown(folder)
    yield f"figures   {where}/batch_size.html, lr_range.html, momentum.html, weight_decay.html"
    yield f"numbers   {shown(folder / RECORD)}"
    yield f"next      {search_command(subject, start_with=shown(folder / CONFIG))}"
