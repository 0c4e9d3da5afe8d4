from pathlib import Path

import pytest

from pipelines.cluster.places import find_in, inside, parent_name, place_in


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("/data", "/data/run/a"),
        ("/data?/", "/data?/run/a"),
        ("s3://bucket/x/", "s3://bucket/x/run/a"),
        (
            "s3://bucket/x?scheme=http&endpoint_override=10.0.0.1:9000",
            "s3://bucket/x/run/a?scheme=http&endpoint_override=10.0.0.1:9000",
        ),
        (
            "s3://bucket/x?endpoint_override=http://host:9000",
            "s3://bucket/x/run/a?endpoint_override=http://host:9000",
        ),
    ],
)
def test_a_place_in_a_storage(storage: str, expected: str) -> None:
    assert inside(storage, "run/a") == expected
    assert parent_name(expected) == "run"


def test_the_first_storage_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "second" / "run" / "a").mkdir(parents=True)
    storages = [str(tmp_path / "first"), f"file://{tmp_path}/second"]
    found = find_in(storages, "run/a")
    assert found == f"file://{tmp_path}/second/run/a"
    assert place_in(storages[1], f"{tmp_path}/second/run/a") == "run/a"
    assert find_in(storages, "run/b") is None
