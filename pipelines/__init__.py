"""The search pipeline. For notebooks and scripts: ``from pipelines import StudySpec, search,
open_run``. The commands are the files beside this one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.api import evaluate_run, export_model, search
    from pipelines.study.runs import Run, open_run
    from pipelines.study.spec import StudySpec
    from pipelines.study.study_file import read_study
    from pipelines.winner.exported import load_model

__all__ = [
    "Run",
    "StudySpec",
    "evaluate_run",
    "export_model",
    "load_model",
    "open_run",
    "read_study",
    "search",
]

# Imported when they are used: a command that shows its help must not wait for torch and Ray.
_PLACES = {
    "Run": "pipelines.study.runs",
    "StudySpec": "pipelines.study.spec",
    "load_model": "pipelines.winner.exported",
    "open_run": "pipelines.study.runs",
    "read_study": "pipelines.study.study_file",
    "evaluate_run": "pipelines.api",
    "export_model": "pipelines.api",
    "search": "pipelines.api",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
