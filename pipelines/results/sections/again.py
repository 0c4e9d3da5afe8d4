"""How to do it again."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipelines.results.extras import has_optuna_dashboard
from pipelines.results.findings import Findings
from pipelines.results.page.model import Code, Section, Table, Words
from pipelines.study.spec import StudySpec
from pipelines.study.typed import entries, option_words


def again(found: Findings) -> Section:
    """Command, study file, seed, versions, data, and what to type next."""
    run, spec = found.run, found.spec
    folder = str(_shown(run.files.folder))
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    facts = [
        ["study file", str(_shown(run.files.spec))],
        ["seed", str(spec.search.seed)],
        ["data", f"{run.data.name}, fingerprint {run.data.fingerprint}"],
        ["versions", versions or "not recorded"],
    ]
    if run.algorithm:
        facts.insert(2, ["algorithm", f"{spec.search.algo}: {run.algorithm}"])
    following = [
        typed("report", folder),
        typed("evaluate", folder),
        typed("export", folder, "model"),
        typed("run", "--study", str(_shown(run.files.spec)), "--name", "again"),
        typed("zoom", folder),
        typed("run", "--zoom-from", folder),
        typed("run", "--seed-from", folder),
    ]
    if run.files.winner.is_file():
        following.append(typed("run", "--start-with", str(_shown(run.files.winner))))
    if has_optuna_dashboard():
        following.append(typed("dashboard", folder, "--optuna"))
    return Section(
        "again",
        "Again, and on from here",
        [
            Words("The command, with what is not a default:"),
            Code(typed("run", *options(spec))),
            Table(["what", "value"], facts),
            Words("Next:"),
            Code("\n".join(following)),
        ],
    )


def typed(name: str, *words: str) -> str:
    """A command as it is typed."""
    return shlex.join(["python", f"pipelines/{name}.py", *words])


def options(spec: StudySpec) -> list[str]:
    """Those that make ``spec`` from the defaults, but for where it lies."""
    defaults = _settings(StudySpec())
    changed = {name: value for name, value in _settings(spec).items() if value != defaults[name]}
    return list(option_words(changed))


def setting_values(spec: StudySpec) -> dict[str, str]:
    """Every setting by its name, as text, but for where the run lies."""
    return {
        name: "none" if value is None else ", ".join(entries(name, value)) or "none"
        for name, value in _settings(spec).items()
    }


def _settings(spec: StudySpec) -> dict[str, object]:
    """By their names, which no two of all groups share; but for where the run lies."""
    groups = [getattr(spec, group) for group in StudySpec.model_fields if group != "run"]
    return {name: value for group in groups for name, value in group}


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
