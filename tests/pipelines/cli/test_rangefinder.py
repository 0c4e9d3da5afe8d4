"""All commands under one name, as a user types them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.cli.command import main
from pipelines.cli.rangefinder import COMMANDS, app
from tests.pipelines.recorded import write_run

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "ray", "optuna", "hyperopt", "pandas", "plotly"}


def test_every_command_is_there() -> None:
    scripts = {path.stem for path in (ROOT / "pipelines").glob("*.py")}
    assert set(COMMANDS) == scripts - {"__init__", "api", "spot_notice"}
    for name in COMMANDS:
        assert import_module(f"pipelines.{name}").app is not None


def test_a_command_is_the_same_under_both_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run")
    assert main(app, ["report", str(run)]) == 0
    assert "trials    none has finished" in capsys.readouterr().out
    for command in ("run", "report"):  # here too, they name their options
        assert main(import_module(f"pipelines.{command}").app, ["--nonsense"]) == 2
        capsys.readouterr()
    for arguments, message in (
        (["run", "--trials", "0"], "--trials 0 is below 1"),
        (["run", "--algo", "grid", "--trials", "3"], "use --trials 36, or fewer --levels"),
        (["report", "nowhere"], "no run in nowhere"),
        (["reprot"], "reprot"),
    ):
        assert main(app, arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rangefinder"])
    space = write_run(tmp_path / "other", trainable="mine:train")
    assert main(app, ["zoom", str(space)]) == 2


def test_the_installed_script_runs() -> None:
    script = Path(sys.executable).with_name("rangefinder")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == version("rangefinder")
    shown = subprocess.check_output([script, "--help"], text=True)
    assert COMMANDS["batch_size"] in shown
    of_one = subprocess.check_output([script, "batch-size", "-h"], text=True)
    assert "Double the batch until memory or samples run out" in of_one


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_mistakes_load_nothing_heavy(name: str) -> None:
    """A mistyped option is answered at once."""
    code = (
        "import sys; from pipelines.cli.command import main; "
        f"from pipelines.{name} import app; main(app, ['--nonsense']); "
        "print(*{module.partition('.')[0] for module in sys.modules})"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "pipelines" in loaded
    assert not HEAVY & set(loaded)
