"""Imports point one way: pipelines to trainables and search_spaces, and never back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"search_spaces", "trainables", "pipelines"}
SEARCH = {"ray", "optuna", "hyperopt"}


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports anywhere, in functions and for types too."""
    packages = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(ROOT).parts[0] if node.level else node.module or ""
            packages.add(package.partition(".")[0])
    return packages


def imported_by(package: str) -> set[str]:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    return {name for file in files for name in imported(file)}


def loaded_by(module: str) -> set[str]:
    """The packages that a fresh process has loaded after importing ``module``."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_search_spaces_name_what_is_trained_and_load_nothing_heavy() -> None:
    allowed = sys.stdlib_module_names | {"numpy", "search_spaces", "trainables"}
    assert imported_by("search_spaces") <= allowed


def test_trainables_know_nothing_of_searching() -> None:
    assert not imported_by("trainables") & (SEARCH | {"search_spaces", "pipelines"})


def test_pipelines_stand_on_both() -> None:
    assert imported_by("pipelines") >= OURS


@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("search_spaces", SEARCH | {"torch", "pipelines"}),
        ("trainables.training.metrics", SEARCH | {"torch", "search_spaces", "pipelines"}),
        ("pipelines.search.algorithms", SEARCH | {"torch"}),
        ("pipelines.search.schedulers", SEARCH | {"torch"}),
    ],
)
def test_a_library_is_loaded_where_it_is_needed_only(module: str, not_loaded: set[str]) -> None:
    loaded = loaded_by(module)
    assert module.partition(".")[0] in loaded
    assert not loaded & not_loaded
