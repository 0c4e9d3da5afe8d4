from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from pipelines.study.circumstances import versions


def test_a_clone_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "rangefinder":
            raise PackageNotFoundError(package)
        return "1.2"

    monkeypatch.setattr("pipelines.cluster.probe.version", version)
    found = versions()
    assert (found["rangefinder"], found["torch"]) == ("not installed", "1.2")
