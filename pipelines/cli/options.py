"""Connects options and settings: a study file fills in what the command line leaves out, and
messages name the option instead of the field."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
from cyclopts import App, Token
from cyclopts.argument import Argument, ArgumentCollection

from pipelines.study.settings import reason_of
from pipelines.study.typed import option_words

_SCRIPTS = Path(__file__).resolve().parents[1]
_FIELD = re.compile(r"`([a-z_]+)(?:=([^`]*))?`")


class Options:
    """The options of one call of a command."""

    def __init__(self) -> None:
        self._arguments: list[Argument] = []

    def read(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Cyclopts calls this with what was typed, before it is checked."""
        self._arguments = list(arguments)
        for argument in self._arguments:
            if argument.parameter.n_tokens == -1 and argument.tokens:  # may be repeated: all count
                typed = [token.value for token in argument.tokens]
                argument.tokens = [argument.tokens[0].evolve(implicit_value=typed)]
        source, settings = self._given()
        for argument in self._arguments:
            group, *field = argument.keys or ("",)
            if field and not argument.tokens and field[0] in settings.get(group, {}):
                value = settings[group][field[0]]
                argument.append(Token(source=source, implicit_value=value))

    def _given(self) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
        """Where the settings for options that are not typed come from (a study file, or a run that
        is resumed), and these settings, by group and field."""
        if (study := self._typed("--study")) is not None:
            from pipelines.study.study_file import read_study_file

            return str(study), read_study_file(study)
        if (run := self._typed("--resume")) is not None:
            from pipelines.study.runs import open_run

            return str(run), open_run(run).spec_in_place.model_dump(mode="json")
        return "", {}

    def _typed(self, name: str) -> Path | None:
        found = next((a for a in self._arguments if a.name == name and a.tokens), None)
        return None if found is None else Path(found.tokens[0].value)

    def spoken(self, message: str) -> str:
        """``message`` with ```trials=3``` as ``--trials 3``, if this command has that option."""
        typed = [name for argument in self._arguments for name in argument.names]
        names = {name.lstrip("-").replace("-", "_"): name for name in typed}

        def option(match: re.Match[str]) -> str:
            if match[1] not in names:
                return match[0]
            return names[match[1]] if match[2] is None else f"{names[match[1]]} {match[2]}"

        return _FIELD.sub(option, message)

    def explain(self, error: pydantic.ValidationError) -> str:
        """The first thing that is wrong with the values: where, which value, and the rule."""
        first = error.errors()[0]
        where = self._where(tuple(str(key) for key in first["loc"]))
        return self.spoken(f"{where} {reason_of(first)}" if where else reason_of(first))

    def _where(self, place: tuple[str, ...]) -> str:
        for argument in self._arguments:
            if argument.keys and argument.keys == place[: len(argument.keys)]:
                keys = (key for key in place[len(argument.keys) :] if not key.isdecimal())
                inside = "".join(f" {key}" for key in keys)
                source = argument.tokens[0].source if argument.tokens else "cli"
                if source != "cli":
                    return f"{source}: {'.'.join(place)}"
                if argument.name != "*":
                    return f"{argument.name}{inside}"
        return ".".join(place)


def to_type(name: str, *words: str, **options: Any) -> str:
    """The command ``name`` with ``words`` and options, as a user types it after this command. If
    our script of ``name`` lies beside the script that was typed, it is that one: `ray submit`
    copies only one script, and other files of these names may lie beside a user's own program.

    Options are given by the names of their fields; those that are None are left out.
    """
    script = Path(sys.argv[0]).with_name(f"{name}.py")
    ours = script.is_file() and script.resolve().parent == _SCRIPTS
    start = ["python", str(script)] if ours else _installed(name)
    return shlex.join([*start, *words, *option_words(options)])


def _installed(name: str) -> list[str]:
    if Path(sys.argv[0]).stem == "rangefinder":
        return ["rangefinder", name.replace("_", "-")]
    return ["python", "-m", f"pipelines.{name}"]
