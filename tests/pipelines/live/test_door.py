"""Without a token nobody sees anything, even on the server itself. A link is needed only once."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.cli.watching import Watching
from pipelines.live import process
from pipelines.live.addresses import ENTER, OPEN
from pipelines.live.door import KEY_HEADER, RAY_COOKIE, Door, own_cookie
from pipelines.live.process import ServerError, serving
from tests.pipelines.live.asking import KEY, RUN, TOKEN, ask
from tests.pipelines.live.standing import CONFIG
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.tty import Tty

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served") / "runs"
    write_run(root / "it", [made([0.5], config=CONFIG, trial_id="a")])
    with serving([root], token=TOKEN, key=KEY) as url:
        yield url.removeprefix("http://")


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
        "no run in " + text.split()[3] + " there is no such folder. All runs: /rangefinder",
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
        assert (status, "caf?: there is no such folder" in text) == (410, True), text
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
