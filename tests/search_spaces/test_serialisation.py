"""A search space that is saved and loaded is exactly the same."""

import json
from typing import Any

import pytest

from search_spaces import SPACES, AtLeast, Choice, Config, Float, Int, OneOf, SearchSpace


def too_large(config: Config) -> bool:
    return bool(config["n"] == 3)


OWN = SearchSpace(
    {
        "n": Int(1, 3),
        "x": Float(1e-300, 0.1 + 0.2, log=True, when=AtLeast("n", 2)),
        "kind": Choice(("a", True, 2, 0.5)),
        "deep": Int(0, 10**12, when=OneOf("kind", ("a", 0.5))),
    },
    grid_levels={"n": 2},
    try_first=({"n": 1, "kind": True},),
    forbid=too_large,
)


@pytest.mark.parametrize("space", [*SPACES.values(), OWN], ids=[*SPACES, "own"])
def test_a_space_comes_back_exactly(space: SearchSpace) -> None:
    text = json.dumps(space.to_dict(), allow_nan=False)
    assert SearchSpace.from_dict(json.loads(text), space.forbid) == space


def test_the_types_of_values_come_back() -> None:
    back = SearchSpace.from_dict(json.loads(json.dumps(OWN.to_dict())))
    kind = back.domains["kind"]
    assert isinstance(kind, Choice)
    assert [type(option) for option in kind.options] == [str, bool, int, float]
    assert type(back.try_first[0]["kind"]) is bool


def test_what_forbids_configs_is_named() -> None:
    assert OWN.to_dict()["forbid"] == f"{__name__}:too_large"
    assert SPACES["mlp"].to_dict()["forbid"] is None
    assert SearchSpace.from_dict(OWN.to_dict()).forbid is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "not a search space"),
        ({"domains": {"x": {"kind": "float"}}, "grid_levels": {}, "try_first": []}, "low"),
        (
            {"domains": {"x": {"kind": "normal"}}, "grid_levels": {}, "try_first": []},
            "unknown kind of domain 'normal'",
        ),
        ({"domains": None, "grid_levels": {}, "try_first": []}, "not a search space"),
    ],
)
def test_what_is_no_space_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSpace.from_dict(content)
