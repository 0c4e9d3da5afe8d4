"""The settings that change when a search goes on, and those that may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.study.runs import Run
from pipelines.study.spec import StudySpec

MAY_CHANGE = {
    "budget": ("trials", "max_epochs", "time_budget", "target_value", "repeats", "keep"),
    "resources": ("gpus_per_trial", "max_concurrent"),
    "run": ("storage",),
}


def changed(before: StudySpec, now: StudySpec) -> dict[str, dict[str, Any]]:
    """The changed settings, by group and field, with their new values."""
    was, found = before.model_dump(mode="json"), {}
    for group, fields in now.model_dump(mode="json").items():
        other = {name: value for name, value in fields.items() if value != was[group][name]}
        if other:
            found[group] = other
    return found


def check_changes(run: Run, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ``ValueError`` for the first change that is not allowed when a run goes on."""
    was, defaults = (s.model_dump(mode="json") for s in (run.spec, StudySpec()))
    for group, fields in changes.items():
        for name, value in fields.items():
            if name not in MAY_CHANGE.get(group, ()):
                folder, hint = run.files.folder, ""
                if value == defaults[group][name]:  # a setting that was left out, perhaps
                    hint = f", the default: in Python, give open_run({str(folder)!r}).spec.but(...)"
                raise ValueError(
                    f"`resume` {folder} has {name} = {was[group][name]}, and cannot go on with "
                    f"`{name}={value}`{hint}"
                )
    epochs = run.spec.budget.max_epochs
    if changes.get("budget", {}).get("max_epochs", epochs) < epochs:
        raise ValueError(
            f"`max_epochs` {changes['budget']['max_epochs']} is below {epochs}, which trials of "
            f"{run.files.folder} have trained"
        )
