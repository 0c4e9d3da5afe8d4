"""The commands that a command suggests to type next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import pipelines
from pipelines.cli.options import to_type


@pytest.mark.parametrize(
    ("options", "typed"),
    [
        ({"resume": "runs/a b", "time_budget": None}, "--resume 'runs/a b'"),
        ({"time_budget": 16.0}, "--time-budget 16s"),
        ({"time_budget": 2 * 604_800.0}, "--time-budget 1209600s"),
        ({"drop": ("a", "b"), "category": ()}, "--drop a --drop b"),
        (
            {"range": {"lr": "0.01..0.1"}, "fix": {"batch_size": 64}},
            "--range lr=0.01..0.1 --fix batch_size=64",
        ),
        ({"optuna": True, "portfolio": False}, "--optuna --no-portfolio"),
    ],
)
def test_options_are_typed_as_the_command_reads_them(
    options: dict[str, object], typed: str
) -> None:
    assert to_type("run", **options).endswith(f"run {typed}")


def test_a_script_is_named_where_it_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's program may be in a folder with another report.py."""
    ours = Path(pipelines.__file__).with_name("run.py")
    monkeypatch.setattr(sys, "argv", [str(ours)])
    assert to_type("report") == f"python {ours.with_name('report.py')}"
    (tmp_path / "report.py").touch()
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "mine.py")])
    assert to_type("report") == "python -m pipelines.report"
