"""Imports point one way: from pipelines to search_spaces to trainables, and inside a package from
its later layers to its earlier ones."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEARCH = {"ray", "optuna", "hyperopt"}

# Each folder of a package may import the folders before it. Files at the top come last.
LAYERS = {
    "trainables": ("task", "data", "device", "training", "networks", "smith", ""),
    "pipelines": (
        *("record", "cluster", "tuner", "study", "winner", "results", "live", "recipe", "cli"),
        "",
    ),
}


def modules(package: str) -> dict[str, Path]:
    """Every module of a package, by its dotted name."""
    files = list((ROOT / package).rglob("*.py"))
    assert files
    names = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): file
        for parts, file in zip(names, files, strict=True)
    }


def imports(file: Path, *, when_loaded: bool = False) -> Iterator[str]:
    """The modules that a file imports. With ``when_loaded``, imports inside functions and imports
    only for types are left out."""
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} has a relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not (when_loaded and (in_function or for_types)):
            waiting += ast.iter_child_nodes(node)


def imported_by(package: str) -> set[str]:
    """The top-level packages that a package imports anywhere."""
    found = (name for file in modules(package).values() for name in imports(file))
    return {name.partition(".")[0] for name in found}


@cache
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


def layer(module: str) -> int:
    """The place of a module's layer among the layers of its package."""
    package, name = (*module.split("."), "")[:2]
    layers = LAYERS[package]
    return layers.index(name if name in layers else "")


@pytest.mark.parametrize("package", LAYERS)
def test_inside_a_package_imports_point_one_way(package: str) -> None:
    """For trainables only imports that run count: type annotations may point both ways."""
    known = modules(package)
    for module, file in known.items():
        for name in imports(file, when_loaded=package == "trainables"):
            if name in known and name != package:
                assert layer(name) <= layer(module), f"{module} imports {name}"


@pytest.mark.parametrize("package", LAYERS)
def test_every_folder_is_a_layer(package: str) -> None:
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert folders
    assert folders <= set(LAYERS[package])


@pytest.mark.parametrize("package", ["search_spaces", "trainables", "pipelines"])
def test_no_two_modules_import_each_other(package: str) -> None:
    known = modules(package)
    edges = {
        module: {name for name in imports(file, when_loaded=True) if name in known} - {module}
        for module, file in known.items()
    }
    left = dict(edges)
    while leaves := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in leaves:
            del left[module]
    # So modules may not import from their package what its __init__ imports from them.
    assert not left, f"a circle among {', '.join(sorted(left))}"


@pytest.mark.parametrize("name", ["pipelines"])
def test_no_file_beside_the_commands_hides_a_module_of_python(name: str) -> None:
    """Python looks for modules first in the folder of the script that it runs."""
    for path in (ROOT / name).iterdir():
        assert path.stem == "__init__" or path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("search_spaces", SEARCH | {"torch", "pipelines"}),
        ("trainables.training.metrics", SEARCH | {"torch", "search_spaces", "pipelines"}),
        ("pipelines.tuner.sampling.algorithms", SEARCH | {"torch"}),
        ("pipelines.tuner.scheduling.schedulers", SEARCH | {"torch"}),
        ("pipelines.study.spec", SEARCH | {"torch", "pandas", "sklearn"}),
        ("pipelines.cli.launch", {"torch"}),
        ("pipelines.study.prepare", {"torch"}),
        ("pipelines.cli.launch", {"aiohttp", "jinja2", "plotly"}),
        ("pipelines.cli.report", {"torch", "aiohttp", "jinja2", "plotly"}),
        ("pipelines.results.report", {"torch"}),
        ("pipelines.live.serve", SEARCH | {"torch", "aiohttp", "plotly", "pandas"}),
        ("pipelines.live.app", SEARCH | {"torch", "plotly", "pandas"}),
        ("pipelines.live.pages", {"ray", "hyperopt"}),
        ("pipelines", SEARCH | {"torch", "pydantic"}),
    ],
)
def test_a_library_is_loaded_where_it_is_needed_only(module: str, not_loaded: set[str]) -> None:
    loaded = loaded_by(module)
    assert module.partition(".")[0] in loaded
    assert not loaded & not_loaded
