"""Sends the user's own function to the processes of trials, where its module need not be installed.

The sources of its module are sent too, and are run there like an import: module-level settings of
libraries, locks and open files are made anew. If a module cannot be run there (because it reads a
file that only this machine has), the function is sent by value, with its current globals. So is a
function that belongs to no module.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, ClassVar

import trainables
from trainables.training.trainable import Trainable

_INSTALLED = ("pipelines", "search_spaces", "trainables")  # on every node: see preflight
_MAIN = ("__main__", "__mp_main__")  # every process has its own
_MOST = 16 * 2**20  # characters of sources


@dataclass(frozen=True)
class Source:
    """The source text of a module."""

    text: str
    path: str
    is_package: bool


class SentFunction:
    """Stands for ``function``: when it is unpickled, the result is the function itself."""

    def __init__(self, function: Trainable) -> None:
        """Raises ``ValueError`` if ``function`` cannot be sent."""
        self._function = function
        self._sources = _sources(function)
        _Received.sources.update(self._sources)  # in this process they have been run already
        self._value, reason = _by_value(function)
        if not self._sources and self._value is None:
            raise ValueError(f"`trainable` {_name(function)} cannot be sent to a worker: {reason}")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function(*arguments, **named)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        place = ("", "")
        if self._sources:  # only what stands in a module has both names
            place = (self._function.__module__, self._function.__qualname__)
        return _receive, (*place, self._sources, self._value, str(Path.cwd()))


def sendable(trainable: Trainable) -> Trainable:
    """``trainable``, made ready for workers. Raises ``ValueError`` if it cannot be sent."""
    module = getattr(trainable, "__module__", "")
    return trainable if module.partition(".")[0] == trainables.__name__ else SentFunction(trainable)


class _Received(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the sources that were sent to this process, whatever lies on its disk."""

    sources: ClassVar[dict[str, Source]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        source = self.sources.get(fullname)
        if source is None:
            return None
        spec = importlib.util.spec_from_loader(
            fullname, self, origin=source.path, is_package=source.is_package
        )
        if spec is not None:
            spec.has_location = True  # the module gets a __file__
            if source.is_package:
                spec.submodule_search_locations = [str(Path(source.path).parent)]
        return spec

    def get_source(self, fullname: str) -> str:
        return self.sources[fullname].text

    def get_code(self, fullname: str) -> CodeType:
        source = self.sources[fullname]
        return self.source_to_code(source.text, source.path)

    def is_package(self, fullname: str) -> bool:
        return self.sources[fullname].is_package


def _receive(
    module: str, name: str, sources: Mapping[str, Source], value: bytes | None, folder: str
) -> Any:
    try:
        return _run(module, name, sources, folder) if sources else pickle.loads(value or b"")
    except Exception as error:
        try:
            return pickle.loads(value or b"")
        except Exception:  # for example from a second import of a library that failed
            raise error from None


def _run(module: str, name: str, sources: Mapping[str, Source], folder: str) -> Any:
    """Import ``module`` from its sources, in the ``folder`` in which the driver runs."""
    if any(_Received.sources.get(n) != source for n, source in sources.items()):
        for outdated in sources:
            sys.modules.pop(outdated, None)
        _Received.sources.update(sources)
    if not any(isinstance(finder, _Received) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Received())
    with _in_folder(folder):
        return reduce(getattr, name.split("."), importlib.import_module(module))


@contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    here = Path.cwd()
    with suppress(OSError):
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)


def _sources(function: Trainable) -> dict[str, Source]:
    """The sources of its module and of the loaded modules beside it. Empty if the function is not
    found in a module with sources: in a notebook, or if another function made it."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", "")
    home = sys.modules.get(module or "")
    if home is None or module in _MAIN or _source(home) is None:
        return {}
    try:
        found: object = reduce(getattr, name.split("."), home)
    except AttributeError:
        return {}
    return _beside(home) if found is function else {}


def _beside(home: ModuleType) -> dict[str, Source]:
    top = home.__name__.partition(".")[0]
    folder = Path(str(home.__file__)).parent
    found: dict[str, Source] = {}
    size = 0
    for name, module in [(home.__name__, home), *sys.modules.items()]:
        package = name.partition(".")[0]
        near = package == top or (top == home.__name__ and _lies_in(module, folder))
        source = _source(module) if near and package not in (*_INSTALLED, *_MAIN) else None
        if source is not None and name not in found:
            size += len(source.text)
            if size <= _MOST or name == home.__name__:
                found[name] = source
    return found


def _lies_in(module: ModuleType, folder: Path) -> bool:
    path = getattr(module, "__file__", None)
    return path is not None and "site-packages" not in path and folder in Path(path).parents


def _source(module: ModuleType) -> Source | None:
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.endswith(".py"):
        return None
    try:
        text = importlib.util.decode_source(Path(path).read_bytes())
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    return Source(text, path, hasattr(module, "__path__"))


def _by_value(function: Trainable) -> tuple[bytes | None, str]:
    """The function as bytes; or None, and the reason: an object that it uses cannot be pickled."""
    from ray import cloudpickle

    whose = function.func if isinstance(function, partial) else function
    name = getattr(whose, "__module__", "")
    module = sys.modules.get(name)
    try:
        if module is not None and name != "__main__":
            cloudpickle.register_pickle_by_value(module)
        return cloudpickle.dumps(function), ""
    except Exception as error:  # each object raises its own exception
        return None, " ".join(str(error).split())[:300]
    finally:
        if module is not None and name != "__main__":
            cloudpickle.unregister_pickle_by_value(module)


def _name(function: Trainable) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
