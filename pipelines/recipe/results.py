"""What Smith's recipe has found, in a folder and in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
import yaml

from pipelines.cli.display import format_config, shown
from pipelines.figures import save
from pipelines.figures.batch_size import batch_size_figure
from pipelines.figures.lr_range import range_figure
from pipelines.figures.short_runs import short_runs_figure
from pipelines.recipe.batch_size_results import device_name
from pipelines.recipe.steps import Recipe
from pipelines.recipe.subject import Subject, search_command
from trainables.data.datasets import TrialData

CONFIG, RECORD = "config.yaml", "smith.json"


def save_recipe(
    folder: Path, subject: Subject, data: TrialData, recipe: Recipe, device: torch.device
) -> None:
    """Make ``folder``, with the config as ``run.py --start-with`` takes it, all numbers, and a
    figure of each test."""
    content = {
        **asdict(subject),
        "data_fingerprint": data.fingerprint,
        "device": device_name(device),
        "torch": torch.__version__,
        "found": recipe.config,
        "batch_size": recipe.batch.as_dict(),
        "lr_range": {"bounds": asdict(recipe.bounds), "test": recipe.sweep.as_dict()},
        "momentum": recipe.momentum.as_dict(),
        "weight_decay": recipe.decay.as_dict(),
    }
    figures = {
        "batch_size": batch_size_figure(recipe.batch),
        "lr_range": range_figure(recipe.sweep, recipe.bounds),
        "momentum": short_runs_figure(recipe.momentum),
        "weight_decay": short_runs_figure(recipe.decay),
    }
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(yaml.safe_dump([recipe.config], sort_keys=False))
    (folder / RECORD).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    for name, figure in figures.items():
        save(figure, folder / f"{name}.html")


def closing_lines(folder: Path, subject: Subject, recipe: Recipe) -> Iterator[str]:
    """The config, where everything lies, and what to type next."""
    yield f"config    {format_config(recipe.config)}"
    where = shown(folder)
    yield f"figures   {where}/batch_size.html, lr_range.html, momentum.html, weight_decay.html"
    yield f"numbers   {shown(folder / RECORD)}"
    yield f"next      {search_command(subject, '--start-with', str(shown(folder / CONFIG)))}"
