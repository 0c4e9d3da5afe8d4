"""Settings and paths as a user types them after a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.study.references import is_importable

_DURATIONS = ("time_budget", "trial_timeout")  # in seconds, which are typed with their unit


def option_words(settings: Mapping[str, object]) -> Iterator[str]:
    """The options of ``settings``, which are given by the names of their fields. A setting with
    several entries gives one option per entry; None gives no option."""
    for field, value in settings.items():
        name = field.strip("_").replace("_", "-")
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        elif value is not None:
            for entry in entries(field, value):
                yield from (f"--{name}", entry)


def entries(field: str, value: object) -> list[str]:
    """The values of a setting's option, one for each time that it is typed."""
    if isinstance(value, Mapping):
        return [f"{name}={_text(of)}" for name, of in value.items()]
    if isinstance(value, tuple):
        return [_text(entry) for entry in value]
    return [f"{_text(value)}s" if field in _DURATIONS else _text(value)]


def _text(value: object) -> str:
    """A range as LOW..HIGH; a number with all its digits."""
    if isinstance(value, tuple):
        return "..".join(map(_text, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def in_python(folder: Path, trainable: str | None, time_budget: float | None = None) -> str:
    """How a search in ``folder`` goes on from Python. Its function is given again if no other
    process can import it."""
    run = repr(str(shown(folder)))
    given = [f"resume={run}"]
    if time_budget is not None:
        budget = f"{{'time_budget': {time_budget:g}}}"
        given.insert(0, f"open_run({run}).spec.but(budget={budget})")
    if trainable and not is_importable(trainable):
        name = trainable.rpartition(":")[2].rpartition(".")[2]
        given.append(f"trainable={name if name.isidentifier() else '...'}")
    return f"search({', '.join(given)})"


def shown(path: Path) -> Path:
    """``path``, relative if it is below the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
