"""Without a token nobody sees anything, even on the server itself. A link is needed only once."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipelines import dashboard
from pipelines.cli.command import USAGE, main
from pipelines.cli.watching import Watching
from pipelines.live import process
from pipelines.live.addresses import ENTER, OPEN, OPTUNA
from pipelines.live.door import KEY_HEADER, RAY_COOKIE, Door, own_cookie
from pipelines.live.process import ServerError, serving
from pipelines.record.files import RunFiles
from pipelines.results.findings import Findings
from pipelines.results.page.model import Code
from pipelines.results.sections import again
from pipelines.study.runs import open_run
from tests.pipelines.live.standing import CONFIG
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.tty import Tty

TOKEN, KEY = "5ca1ab1e", "ba5eba11"
ROOT = Path(__file__).parents[3]
RUN = "/rangefinder/run/runs/it"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served") / "runs"
    write_run(root / "it", [made([0.5], config=CONFIG, trial_id="a")])
    with serving([root], token=TOKEN, key=KEY) as url:
        yield url.removeprefix("http://")


def ask(address: str, path: str, **headers: str) -> tuple[int, str, str]:
    """The status, the text and the cookie of an HTTP answer."""
    connection = HTTPConnection(address, timeout=60)
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers.get("Set-Cookie", "")


def answers(address: str) -> bool:
    try:
        ask(address, OPEN)
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/rangefinder",
        "/rangefinder/",
        "/rangefinder/alive",
        "/rangefinder/news",
        "/rangefinder/news/runs/it",
        RUN,
        "/api/grafana_health",
        "/x",
        f"{OPEN}/../../../rangefinder",
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer another"},
        {"Authorization": "Bearer "},
        {"Cookie": f"{RAY_COOKIE}="},
        {"Cookie": f"{RAY_COOKIE}={KEY}"},
        {"Cookie": f"{own_cookie(8270)}={TOKEN}"},
        {KEY_HEADER: KEY},
    ],
    ids=lambda headers: next(iter(headers), "nothing"),
)
def test_who_has_no_token_sees_nothing(address: str, path: str, headers: dict[str, str]) -> None:
    status, text, cookie = ask(address, path, **headers)
    assert (status, text, cookie) == (401, f"The token is missing: open {OPEN}", "")


def test_who_has_it_sees_all(address: str) -> None:
    for headers in (
        {"Authorization": f"Bearer {TOKEN}"},
        {"X_Ray_Authorization": f"Bearer {TOKEN}"},
        {"Cookie": f'{RAY_COOKIE}="{TOKEN}"'},
    ):
        assert ask(address, RUN, **headers)[0] == 200
    authorised = {"Authorization": f"Bearer {TOKEN}"}
    assert "<h1>it</h1>" in ask(address, RUN, **authorised)[1]
    assert ask(address, "/nodes", **authorised)[0] == 404, "Ray answers what is not found here"
    status, text, _ = ask(address, f"{RUN}x", **authorised)
    assert (status, text) == (
        410,
        "no run in " + text.split()[3] + " it has no spec.json. All runs: /rangefinder",
    )


def test_who_is_refused_a_page_gets_a_link(address: str) -> None:
    """The page itself requests news, and shows the text of the answer."""
    for path, status, link in ((f"{RUN}x", 410, "/rangefinder"), (RUN, 401, OPEN)):
        token = {"Authorization": f"Bearer {TOKEN}"} if status == 410 else {}
        found, text, _ = ask(address, path, Accept="text/html,*/*", **token)
        assert (found, f'<a href="{link}">{link}</a>' in text) == (status, True)
    assert 'rel="icon" href="data:,"' in ask(address, OPEN)[1]


def test_plotly_is_a_file_that_browsers_keep(address: str) -> None:
    authorised = {"Authorization": f"Bearer {TOKEN}"}
    page = ask(address, RUN, **authorised)[1]
    assert len(page) < 200_000
    found = re.search(r'<script src="([^"]*/plotly-[\d.]+js)" nonce="([^"]{20,})"', page)
    assert found is not None
    assert f"&#39;nonce-{found[2]}&#39;" in page
    assert found[2] not in ask(address, RUN, **authorised)[1], "another for each page"
    assert ask(address, found[1])[0] == 401
    bodies = []
    for encoding in ("gzip, br", "identity"):
        connection = HTTPConnection(address, timeout=60)
        connection.request("GET", found[1], headers={"Accept-Encoding": encoding, **authorised})
        answer = connection.getresponse()
        bodies.append(answer.read())
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.headers.get("Content-Encoding") == ("gzip" if "gzip" in encoding else None)
    assert gzip.decompress(bodies[0]) == bodies[1]
    assert len(bodies[0]) < len(bodies[1]) / 3
    assert ask(address, "/rangefinder/plotly-0.0.js", **authorised)[0] == 410


def test_a_folder_whose_name_is_no_utf8_is_a_run_like_others(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"runs\xff")
    write_run(root / "it", [made([0.5], config=CONFIG, trial_id="a")])
    (root / "it").rename(root / os.fsdecode(b"caf\xe9"))  # its settings are UTF-8
    write_run(root / "it").rename(root / "caf%E9")
    authorised = {"Authorization": f"Bearer {TOKEN}"}
    with serving([root], token=TOKEN, key=KEY) as url:
        address = url.removeprefix("http://")
        status, text, _ = ask(address, "/rangefinder", **authorised)
        assert (status, "/rangefinder/run/runs%FF/caf%E9" in text) == (200, True), text[:300]
        status, text, _ = ask(address, "/rangefinder/run/runs%FF/caf%E9", **authorised)
        assert (status, "<h1>caf?</h1>" in text) == (200, True), text[:300]
        assert '"/rangefinder/news/runs%FF/caf%E9"' in text
        assert ask(address, "/rangefinder/news/runs%FF/caf%E9", **authorised)[0] == 200
        status, text, _ = ask(address, "/rangefinder/run/runs%FF/caf%EA", **authorised)
        assert (status, "caf?: it has no spec.json" in text) == (410, True), text
        status, text, _ = ask(address, "/rangefinder/run/runs%FF/caf%25E9", **authorised)
        assert (status, "<h1>caf%E9</h1>" in text) == (200, True), text[:300]
        # The same letters, but in UTF-8.
        assert ask(address, "/rangefinder/run/runs%FF/caf%C3%A9", **authorised)[0] == 410


def test_a_key_opens_and_is_not_the_token(address: str) -> None:
    for key in ("", "another", TOKEN):
        assert ask(address, ENTER, **{KEY_HEADER: key}) == (403, "That key is no longer valid", "")
    status, text, cookie = ask(address, ENTER, **{KEY_HEADER: KEY})
    assert (status, text) == (200, "open")
    assert cookie.startswith(f"{RAY_COOKIE}={TOKEN};")
    assert "HttpOnly; SameSite=Strict" in cookie
    status, page, cookie = ask(address, OPEN)
    assert (status, cookie) == (200, "")
    assert TOKEN not in page
    assert KEY not in page
    assert "ray get-auth-token" in page


def test_without_a_key_nothing_opens_it() -> None:
    assert not Door(TOKEN).opens_with("")
    assert Door("").admits({}, {}), "a Ray without tokens is open too"


def test_the_server_is_of_this_machine_alone_and_hides_the_token(address: str) -> None:
    port = int(address.rpartition(":")[2])
    listening = [
        line.split()[1]
        for file in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]
    servers = [p for p in Path("/proc").glob("[0-9]*") if _serves(p) and _parent(p) == os.getpid()]
    assert servers
    for server in servers:
        for name in ("cmdline", "environ"):
            assert TOKEN.encode() not in (server / name).read_bytes()


def _serves(folder: Path) -> bool:
    try:
        return process.MODULE.encode() in (folder / "cmdline").read_bytes()
    except OSError:
        return False


def _parent(folder: Path) -> int:
    return int((folder / "stat").read_text().rpartition(")")[2].split()[1])


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipelines.live.process import serving\n"
        "with serving([Path('.')], token='t', key='k') as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().strip().removeprefix("http://")
        assert ask(address, OPEN)[0] == 200
        parent.kill()
    end = time.monotonic() + 60
    while answers(address):
        assert time.monotonic() < end


def test_why_it_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MODULE", "pipelines.live.no_such_module")
    with (
        pytest.raises(ServerError, match=r"No module named pipelines\.live\.no_such_module$"),
        serving([], token="t", key="k"),
    ):
        pass


class LateCluster:
    """A cluster whose dashboard opens on demand."""

    started_here = True
    asks = "nobody"

    def open_dashboard(self, say: Any, pages: Any) -> None:
        with pages() as address:
            self.asks = address
            say("http://127.0.0.1:8265")


def watching(folder: Path, *, terminal: bool) -> tuple[LateCluster, list[str]]:
    """Such a cluster, opened for a search, and what the search prints."""
    printed, cluster = Tty() if terminal else StringIO(), LateCluster()
    console = Console(file=printed, width=200)
    Watching(console, folder).open(cluster)  # type: ignore[arg-type]
    return cluster, printed.getvalue().splitlines()


def test_rays_dashboard_opens_without_the_pages_where_they_do_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MODULE", "pipelines.live.no_such_module")
    cluster, (pages, line) = watching(tmp_path, terminal=False)
    assert cluster.asks == ""
    assert pages.startswith("pages     none: ")
    assert pages.endswith("No module named pipelines.live.no_such_module")
    assert line == "dashboard http://127.0.0.1:8265 (it asks for the token: ray get-auth-token)"


@pytest.mark.parametrize("terminal", [False, True])
def test_where_the_output_may_be_a_log_no_key_is_printed(tmp_path: Path, terminal: bool) -> None:
    cluster, (line,) = watching(tmp_path, terminal=terminal)
    assert cluster.asks.startswith("http://127.0.0.1:")
    assert line.startswith(f"dashboard http://127.0.0.1:8265{OPEN}")
    assert ("#" in line) is terminal
    assert ("ray get-auth-token" in line) is not terminal


def test_a_log_with_colours_gets_no_key_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, (line,) = watching(tmp_path, terminal=False)
    assert "#" not in line


# -- dashboard.py


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


# -- optuna-dashboard


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
    assert capsys.readouterr().err == "error: no run in gone: it has no spec.json\n"


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
