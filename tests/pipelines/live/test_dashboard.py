"""The command dashboard.py: it shows runs without Ray, and Optuna's own pages of a run."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import dashboard
from pipelines.cli.command import USAGE, main
from pipelines.live.addresses import ENTER, OPEN, OPTUNA
from pipelines.live.door import KEY_HEADER
from pipelines.live.process import serving
from pipelines.record.files import RunFiles
from pipelines.results.findings import Findings
from pipelines.results.page.model import Code
from pipelines.results.sections import again
from pipelines.study.runs import open_run
from tests.pipelines.live.asking import KEY, RUN, TOKEN, ask
from tests.pipelines.live.standing import CONFIG
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made

ROOT = Path(__file__).parents[3]


@contextmanager
def dashboard_of(runs: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, str(ROOT / "pipelines" / "dashboard.py"), str(runs), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        try:
            yield served, served.stdout.readline()
        finally:
            served.kill()


def test_dashboard_shows_runs_without_ray_until_ctrl_c(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "it", [made([0.5], config=CONFIG, trial_id="a")])
    with dashboard_of(tmp_path / "runs") as (served, line):
        label, link = line.split()
        assert label == "dashboard"
        url, _, key = link.partition("#")
        address = url.removeprefix("http://").removesuffix(OPEN)
        assert ask(address, RUN)[0] == 401
        _, _, cookie = ask(address, ENTER, **{KEY_HEADER: key})
        assert ask(address, RUN, Cookie=cookie.partition(";")[0])[0] == 200
        served.send_signal(signal.SIGINT)
        rest, errors = served.communicate(timeout=60)
    assert (served.returncode, rest, errors) == (0, "", "")


def test_two_servers_on_a_host_let_the_same_browser_in(tmp_path: Path) -> None:
    """A browser sends the cookies of all ports of a host to each of them."""
    write_run(tmp_path / "runs" / "it", [made([0.5], config=CONFIG, trial_id="a")])
    cookies: dict[str, str] = {}
    with dashboard_of(tmp_path / "runs") as (_, one), dashboard_of(tmp_path / "runs") as (_, two):
        addresses = []
        for line in (one, two):
            url, _, key = line.split()[1].partition("#")
            addresses.append(url.removeprefix("http://").removesuffix(OPEN))
            _, _, cookie = ask(addresses[-1], ENTER, **{KEY_HEADER: key})
            name, _, value = cookie.partition(";")[0].partition("=")
            cookies[name] = value
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        for address in addresses:
            assert ask(address, RUN, Cookie=sent)[0] == 200


def test_the_folder_above_has_its_own_name_in_addresses(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "it", [made([0.5], config=CONFIG, trial_id="a")])
    above = tmp_path / "runs" / "it" / ".."
    with dashboard_of(above) as (_, line):
        url, _, key = line.split()[1].partition("#")
        address = url.removeprefix("http://").removesuffix(OPEN)
        _, _, cookie = ask(address, ENTER, **{KEY_HEADER: key})
        assert RUN in ask(address, "/rangefinder", Cookie=cookie.partition(";")[0])[1]
    with serving([above], token=TOKEN, key=KEY) as url:
        shown = ask(url.removeprefix("http://"), "/rangefinder", Authorization=f"Bearer {TOKEN}")
        assert RUN in shown[1]


def test_a_port_in_use_and_a_folder_that_is_not_there_are_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Path("runs").mkdir()
        assert main(dashboard.app, ["--port", str(port)]) == USAGE
    message = f"error: --port {port}: address already in use; 0 takes a free one\n"
    assert capsys.readouterr() == ("", message)
    assert main(dashboard.app, ["gone"]) == USAGE
    assert capsys.readouterr().err == "error: 'gone' is not a folder: give the folder of runs\n"
    assert main(dashboard.app, ["--port", "70000"]) == USAGE
    assert "--port 70000 is above 65535" in capsys.readouterr().err


def test_optuna_dashboard_shows_the_record_and_changes_nothing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in, because it is an optional package."""
    folder = write_run(elsewhere / "it", [made([0.5], config=CONFIG, trial_id="a")])
    record = RunFiles(folder).journal.read_bytes()
    seen = []

    def wsgi(storage: Any) -> Any:
        (study,) = storage.get_all_studies()
        seen.append(storage.get_n_trials(study._study_id))
        with pytest.raises(PermissionError, match="cannot be changed"):
            storage.delete_study(study._study_id)
        raise ValueError("that is enough")

    monkeypatch.setitem(sys.modules, "optuna_dashboard", SimpleNamespace(wsgi=wsgi))
    assert main(dashboard.app, ["it", "--optuna", "--port", "0"]) == USAGE
    assert seen == [1]
    assert RunFiles(folder).journal.read_bytes() == record
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    capsys.readouterr()
    assert main(dashboard.app, ["it", "--optuna"]) == USAGE
    missing = "error: --optuna needs optuna-dashboard: pip install optuna-dashboard\n"
    assert capsys.readouterr().err == missing
    assert main(dashboard.app, ["gone", "--optuna"]) == USAGE
    assert capsys.readouterr().err == "error: no run in gone: there is no such folder\n"


def test_the_page_of_a_run_leads_to_it_and_nobody_else_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in that tells how many trials it gets."""
    (tmp_path / "optuna_dashboard.py").write_text(
        "def wsgi(storage):\n"
        "    def app(environ, respond):\n"
        "        (study,) = storage.get_all_studies()\n"
        "        respond('200 OK', [])\n"
        "        return [f'trials: {storage.get_n_trials(study._study_id)}'.encode()]\n"
        "    return app\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    write_run(tmp_path / "runs" / "it", [made([0.5], config=CONFIG, trial_id="a")])
    token = {"X-Ray-Authorization": f"Bearer {TOKEN}"}
    onward = f"{OPTUNA}/runs/it"
    with serving([tmp_path / "runs"], token=TOKEN, key=KEY) as url:
        served = url.removeprefix("http://")
        assert ask(served, onward)[0] == 401
        assert f'href="{onward}"' in ask(served, RUN, **token)[1]
        assert ask(served, f"{OPTUNA}/runs/gone", **token)[0] == 410
        _, page, _ = ask(served, onward, **token)
        found = re.search(r'href="http://([^/]+)(/[^"]+)"', page)
        assert found is not None
        address, enter = found.groups()
        assert ask(address, "/dashboard/")[0] == 401
        assert ask(address, enter.partition("?")[0] + "?key=guessed")[0] == 401
        status, _, cookie = ask(address, enter)
        assert status == 303
        assert ask(address, "/", Cookie=cookie.partition(";")[0])[:2] == (200, "trials: 1")
        assert ask(served, onward, **token)[1] == page


@pytest.mark.parametrize("installed", [False, True])
def test_the_page_names_it_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(again, "has_optuna_dashboard", lambda: installed)
    run = open_run(write_run(tmp_path / "it", [made([0.5], config=CONFIG, trial_id="a")]))
    *_, following = again.again(Findings(run)).blocks
    assert isinstance(following, Code)
    assert ("--optuna" in following.text) is installed
