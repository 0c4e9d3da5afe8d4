"""From what a user types to what the program means: each raises ``ValueError`` with one line that
names the value and the rule."""

from __future__ import annotations

import importlib
import itertools
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import typer

T = TypeVar("T")

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def option(
    parse: Callable[[str], T],
    help: str,
    group: str,
    metavar: str,
    names: Sequence[str] = (),
    **more: Any,
) -> Any:
    """A Typer option whose value ``parse`` reads and checks."""

    def read(text: object) -> T:
        try:
            return parse(str(text))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return typer.Option(
        *names, parser=read, help=help, rich_help_panel=group, metavar=metavar, **more
    )


def choice(registry: Mapping[str, object], help: str, group: str, **more: Any) -> Any:
    """A Typer option that takes a key of ``registry``."""

    def parse(text: str) -> str:
        if text in registry:
            return text
        near = get_close_matches(text, registry, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise ValueError(f"'{text}' is none of {', '.join(registry)}{hint}")

    return option(parse, help, group, metavar=f"[{'|'.join(registry)}]", **more)


def whole(minimum: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``minimum`` on."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"'{text}' is not a whole number") from None
        if number < minimum:
            raise ValueError(f"{text} is below {minimum}, the least there may be")
        return number

    return parse


def real(above: float = -math.inf, at_most: float = math.inf) -> Callable[[str], float]:
    """A parser of finite numbers in (above, at_most]."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"'{text}' is not a number") from None
        if not math.isfinite(number):
            raise ValueError(f"{text} is not finite")
        if not above < number <= at_most:
            rule = f"above {above:g}" + (f" and at most {at_most:g}" if at_most < math.inf else "")
            raise ValueError(f"{text} is not {rule}")
        return number

    return parse


def parse_duration(text: str) -> float:
    """Seconds in ``90s``, ``20m``, ``1h30m`` or ``2d``."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"'{text}' is no duration: write 90s, 20m, 1h30m or 2d")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"'{text}' must be longer than nothing")
    return seconds


def parse_levels(entries: Iterable[str]) -> dict[str, int]:
    """``["lr=5", "n_layers=3"]`` as a dictionary."""
    levels = {}
    for entry in entries:
        name, _, number = entry.partition("=")
        if not (name and number.isdecimal()):
            raise ValueError(f"'{entry}' is not NAME=N, such as lr=5")
        levels[name] = int(number)
    return levels


def import_object(reference: str) -> object:
    """The object at ``package.module:name``, looked for in the working directory too."""
    module_name, colon, name = reference.partition(":")
    if not (colon and module_name and name):
        raise ValueError(f"'{reference}' is not of the form package.module:name")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises is the user's to read
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"'{reference}' cannot be imported: {reason}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ValueError(f"'{reference}': module {module_name} has no '{name}'") from None


def new_run_folder(runs_dir: Path, name: str | None, label: str) -> Path:
    """Where the run will lie: ``name``, or ``label`` and the time. Nothing is made."""
    parent = runs_dir.expanduser().absolute()
    if name is None:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{label}-{datetime.now():%Y%m%d-%H%M%S}")
        names = (stem if n == 1 else f"{stem}-{n}" for n in itertools.count(1))
        name = next(name for name in names if not (parent / name).exists())
    check_run_name(name)
    folder = parent / name
    if folder.exists():
        raise ValueError(f"--name '{name}': a run of that name exists in {runs_dir}")
    check_writable(folder)
    return folder


def new_output_folder(output: Path | None, parent: str, label: str) -> Path:
    """Where the results of a test will lie: ``output``, or in ``parent`` by ``label`` and the time.
    Nothing is made."""
    if output is None:
        return new_run_folder(Path(parent), None, label)
    folder = output.expanduser().absolute()
    if folder.exists():
        raise ValueError(f"--output {output} exists: give a folder that does not")
    check_writable(folder)
    return folder


def check_run_name(name: str) -> None:
    """Raises ``ValueError`` for what cannot be the name of a folder everywhere."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"--name '{name}': use letters, digits, '.', '_' and '-'")


def check_writable(path: Path) -> None:
    """Raises where ``path``, which may not exist yet, could not be written."""
    existing = next(p for p in (path, *path.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ValueError(f"'{path}' cannot be written: {existing}: {error.strerror}") from None


def resolve_storage(storage: str) -> str:
    """An absolute path, or the URI as it is, that can be written to."""
    if "://" in storage:
        from pipelines.cluster.storage import try_to_write

        try_to_write(storage)
        return storage
    path = Path(storage).expanduser().absolute()
    check_writable(path)
    return str(path)


def check_no_run_in(storage: str, name: str) -> None:
    """Raises ``ValueError`` where a resolved storage has a run called ``name``."""
    from pyarrow.fs import FileSystem, FileType

    filesystem, path = FileSystem.from_uri(storage)
    if filesystem.get_file_info(f"{path}/{name}").type != FileType.NotFound:
        raise ValueError(f"--storage '{storage}' has a run '{name}' in it: choose another --name")
