"""Saves the results of the tests before a search: all numbers, and a figure of each test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch

from pipelines.recipe.subject import Subject
from pipelines.record.whole import write_whole
from pipelines.results.figures import save
from trainables.data.datasets import TrialData


def save_test(
    folder: Path,
    record: str,
    subject: Subject,
    data: TrialData,
    found: Mapping[str, Any],
) -> None:
    """Make ``folder``. The JSON file ``record`` says what was tested and found."""
    content = {**asdict(subject), "data_fingerprint": data.fingerprint, **found}
    folder.mkdir(parents=True)
    write_whole(folder / record, json.dumps(content, indent=2, allow_nan=False) + "\n")


def save_figures(
    folder: Path, subject: Subject, data: TrialData, figures: Mapping[str, go.Figure]
) -> None:
    """Write each figure of a test to the file of its name in ``folder``."""
    for name, figure in figures.items():
        save(figure, folder / name, subtitle=f"{subject.model} on {data.name}")


def machine(device: torch.device) -> dict[str, Any]:
    """The device and the version that the numbers depend on."""
    return {"device": device_name(device), "torch": torch.__version__}


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU and the threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
