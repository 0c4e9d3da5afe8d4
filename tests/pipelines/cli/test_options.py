"""What a command says to type next."""

from __future__ import annotations

import pytest

from pipelines.cli.options import to_type


@pytest.mark.parametrize(
    ("options", "typed"),
    [
        ({"resume": "runs/a b", "time_budget": None}, "--resume 'runs/a b'"),
        ({"time_budget": 16.0}, "--time-budget 16s"),
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
