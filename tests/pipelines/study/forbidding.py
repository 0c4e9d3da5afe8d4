"""A user's function, and search spaces that forbid configs."""

from collections.abc import Iterator

from search_spaces import Choice, Config, Float, OneOf, SearchSpace


def train(
    config: Config, data: object, *, max_epochs: int, seed: int, device: object
) -> Iterator[tuple[dict[str, float], None]]:
    yield {"val_accuracy": 0.5}, None


MISSING = SearchSpace(
    {"kind": Choice(("a", "b")), "m": Float(0.0, 1.0, when=OneOf("kind", ("a",)))},
    forbid=lambda config: float(config["m"]) > 0.5,
)
ALL = SearchSpace({"x": Float(0.0, 1.0)}, forbid=lambda config: True)
ENDS_ALONE = SearchSpace({"x": Float(0.0, 1.0)}, forbid=lambda config: config["x"] not in (0, 1))
