"""A cloud storage that cannot be used is reported at once."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipelines.cluster.storage import try_to_write


def test_a_folder_that_can_be_written_stays_as_it_was(tmp_path: Path) -> None:
    try_to_write(f"file://{tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_the_reason_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written") as raised:
        try_to_write(f"file://{tmp_path}/none")
    assert "\n" not in str(raised.value)


def test_s3_that_gives_no_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with socket.socket() as silent:  # accepts connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"s3://bucket/x?scheme=http&endpoint_override=127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"does not answer within 1 s.*credentials"):
            try_to_write(uri, patience=1)
