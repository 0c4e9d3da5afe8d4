"""Fetching a run, with a stand-in for Ray's commands. The tests with real commands are in
tests/cluster/test_onprem.py."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipelines import fetch
from pipelines.cli.command import main
from pipelines.cluster import fetching
from pipelines.cluster.fetching import fetch_run, find, look_command
from pipelines.record.files import RunFiles
from pipelines.record.header import write_header
from pipelines.record.sessions import working


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a head whose commands run here."""
    home = tmp_path / "head"
    home.mkdir()

    def ray(command: str, cluster: str, *arguments: str, patience: float) -> str:
        if command == "get-head-ip":
            return "10.0.0.1\n"
        if command == "exec":
            done = subprocess.run(
                ["bash", "-c", arguments[0]],
                env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=True,
            )
            return f"Loaded cached provider configuration\n{done.stdout}"
        source, target = arguments
        shutil.copytree(source, target, dirs_exist_ok=True)
        return ""

    monkeypatch.setattr(fetching, "_ray", ray)
    monkeypatch.setattr(fetching, "_knock", lambda head, cluster: None)
    return home


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text("cluster_name: x\nprovider: {type: aws}\n")
    return path


def make_run(folder: Path, spec: str = "{}") -> None:
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(spec)
    (folder / "best.pt").write_text("weights")


@pytest.mark.parametrize("place", ["runs/one", "rangefinder/runs/one"])
@pytest.mark.parametrize("typed", ["one", "runs/one", "runs/one/"])
def test_a_run_comes_home(
    head: Path, cluster: Path, tmp_path: Path, place: str, typed: str
) -> None:
    make_run(head / place)
    folder = fetch_run(cluster, typed, tmp_path / "runs")
    assert folder == tmp_path / "runs" / "one"
    assert (folder / "best.pt").read_text() == "weights"


def test_a_folder_anywhere_on_the_head_can_be_named(
    head: Path, cluster: Path, tmp_path: Path
) -> None:
    make_run(head / "else where" / "it's one")
    folder = fetch_run(cluster, f"{head}/else where/it's one", tmp_path / "runs")
    assert (folder / "spec.json").is_file()


def test_an_earlier_copy_is_brought_up_to_date(head: Path, cluster: Path, tmp_path: Path) -> None:
    make_run(head / "runs" / "one")
    fetch_run(cluster, "one", tmp_path / "runs")
    (head / "runs" / "one" / "best.pt").write_text("better")
    folder = fetch_run(cluster, "one", tmp_path / "runs")
    assert (folder / "best.pt").read_text() == "better"


@pytest.mark.parametrize("of_a_comparison", ["", "random-0"])
def test_a_search_that_has_ended_since_the_last_copy_is_over(
    head: Path, cluster: Path, tmp_path: Path, of_a_comparison: str
) -> None:
    make_run(head / "runs" / "one")
    live = head / "runs" / "one" / of_a_comparison / "live.json"
    live.parent.mkdir(exist_ok=True)
    live.touch()
    folder = fetch_run(cluster, "one", tmp_path / "runs")
    assert (folder / of_a_comparison / "live.json").exists()
    live.unlink()
    fetch_run(cluster, "one", tmp_path / "runs")
    assert not (folder / of_a_comparison / "live.json").exists()


def test_a_comparison_comes_home(
    head: Path, cluster: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = head / "runs" / "both"
    folder.mkdir(parents=True)
    write_header(RunFiles(folder), {"compared": {}}, {})
    assert main(fetch.app, [str(cluster), "both"]) == 0
    assert capsys.readouterr().out == "run       runs/both: a comparison\n"


def test_a_head_behind_a_bastion_is_not_knocked_at(
    head: Path, cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("knocked")

    monkeypatch.setattr(fetching, "_knock", refuse)
    make_run(head / "runs" / "one")
    cluster.write_text(f"{cluster.read_text()}auth: {{ssh_proxy_command: ssh -W %h:%p gate}}\n")
    assert fetch_run(cluster, "one", tmp_path / "runs").is_dir()


def test_another_run_of_the_same_name_is_not_overwritten(
    head: Path, cluster: Path, tmp_path: Path
) -> None:
    make_run(head / "runs" / "one")
    make_run(tmp_path / "runs" / "one", '{"another": 1}')
    (tmp_path / "runs" / "one" / "best.pt").write_text("mine")
    with pytest.raises(ValueError, match="holds another run"):
        fetch_run(cluster, "one", tmp_path / "runs")
    assert (tmp_path / "runs" / "one" / "best.pt").read_text() == "mine"


def test_a_run_that_has_gone_on_here_is_not_overwritten(
    head: Path, cluster: Path, tmp_path: Path
) -> None:
    make_run(head / "runs" / "one")
    folder = fetch_run(cluster, "one", tmp_path / "runs")
    with working(RunFiles(folder), "search", {}):
        pass
    with pytest.raises(ValueError, match="was resumed here, and a copy would undo that"):
        fetch_run(cluster, "one", tmp_path / "runs")


def test_what_is_not_there_is_answered_with_what_is(
    head: Path, cluster: Path, tmp_path: Path
) -> None:
    make_run(head / "runs" / "one")
    with pytest.raises(ValueError, match="no run 'two': it has one"):
        fetch_run(cluster, "two", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_answers_are_found_between_rays_own_lines() -> None:
    digest = hashlib.sha256(b"").hexdigest()
    command = look_command("one")
    output = (
        f"Full command is `ssh x '{command}'`\r\n@found {digest} /home/me/runs/one\r\nclosed.\r\n"
    )
    found = find(output, "one")
    assert (found.folder, found.spec) == ("/home/me/runs/one", digest)
    with pytest.raises(ValueError, match="it has none in ~/runs"):
        find("Shared connection to 10.0.0.1 closed.\r\n", "one")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("provider:\n  type: local\n bad: [1\n", r"one.yaml, line 3 is not YAML"),
        ("just text\n", "one.yaml is not a file for `ray up`: it has no `provider`"),
        ("a: 1\n", "one.yaml is not a file for `ray up`: it has no `provider`"),
    ],
)
def test_a_file_that_is_no_clusters_is_refused(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=error):
        fetch_run(path, "run", tmp_path)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (subprocess.CompletedProcess([], 1, "Usage\nError: no key\n   ^~~\n\n"), "Error: no key"),
        (subprocess.CompletedProcess([], 1, ""), "failed: no output"),
        (subprocess.TimeoutExpired([], 60), "did not end within 60 s"),
    ],
)
def test_a_command_of_rays_that_fails_is_one_line(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch, end: Any, error: str
) -> None:
    def run(*_: object, **__: object) -> Any:
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ValueError, match=rf"^`ray get-head-ip .*cluster.yaml` .*{error}$"):
        fetch_run(cluster, "one", tmp_path)


def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no cluster file"):
        fetch_run(tmp_path / "none.yaml", "one", tmp_path)
    monkeypatch.setattr(fetching, "_ray", lambda *a, patience: "127.0.0.1\n")

    def refuse(address: tuple[str, int], timeout: float) -> None:
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ValueError, match=r"127.0.0.1, does not answer by SSH: Connection refused"):
        fetch_run(cluster, "one", tmp_path)
