"""Files that nobody would write: each is read, or refused in one line.

Hypothesis makes them. Failures that it has found before are kept here as examples.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.study.study_file import read_study
from pipelines.study.yaml_file import read_yaml
from tests.refusals import assert_one_line
from trainables.data.datasets import load
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import Reading

# No deadline, because the machine is shared. Every run uses the same files.
FUZZ = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CELLS = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1.5", "1e999", "NaN", "true", "2020-01-01", "05:00", "a", "b", '"', "1,5"]
    ),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(repr),
    st.datetimes().map(str),
)
SEPARATORS = st.sampled_from([",", ";", "\t", "|", " "])


def read_or_refused(source: Path, **options: Any) -> None:
    """The file is loaded with a sound preprocessing, or it is refused in one line."""
    try:
        data = load(str(source), **options)
    except ValueError as error:
        assert_one_line(error)
        return
    assert np.isfinite(data.x_train).all()
    assert np.isfinite(data.y_val).all()
    assert data.preprocessing is not None
    again = Preprocessing.from_dict(data.preprocessing.to_dict())
    assert again == data.preprocessing
    if source.is_file():
        assert np.isfinite(again.transform(source)).all()


@FUZZ
@given(st.binary(max_size=400))
@example(b"\x1f\x8b" + b"\x00" * 40)
@example(b"PK\x03\x04" + b"\x00" * 40)
@example(b"PAR1" + b"\xff" * 40 + b"PAR1")
@example("x,y\n".encode("utf-16"))
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zip", ".parquet"])
def test_any_bytes_as_a_table(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    read_or_refused(path, target="y")


@FUZZ
@given(
    st.lists(st.text(max_size=6), min_size=1, max_size=4),
    st.lists(st.lists(CELLS, max_size=5), min_size=0, max_size=40),
    SEPARATORS,
    st.sampled_from([None, "classification", "regression"]),
)
def test_any_cells_as_a_table(
    tmp_path: Path, header: list[str], rows: list[list[str]], separator: str, task: Any
) -> None:
    lines = [separator.join(row) for row in [[*header, "y"], *rows]]
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    read_or_refused(path, target="y", reading=Reading(category=tuple(header[:1]), task=task))


@FUZZ
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS, st.integers(0, 2)), min_size=12, max_size=24),
    st.booleans(),
    st.sampled_from([None, "classification", "regression"]),
)
def test_sound_tables_of_any_values(
    tmp_path: Path, rows: list[tuple[str, str, str, int]], quoted: bool, task: Any
) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b,;", "\x1b[31m", "y"])
    path = tmp_path / "t.csv"
    text = frame.to_csv(index=False, quoting=1 if quoted else 0)
    path.write_bytes(text.encode(errors="surrogatepass"))
    read_or_refused(path, target="y", reading=Reading(category=("a",), task=task))


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


WHOLE = png(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
BOMB_HEADER = (
    b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00\x00\xff\xff" * 2 + b"\x08\x02\x00\x00\x00"
)


@FUZZ
@given(
    st.integers(0, len(WHOLE)), st.binary(max_size=30), st.sampled_from([".png", ".jpg", ".tif"])
)
@example(0, BOMB_HEADER + zlib.crc32(BOMB_HEADER[12:]).to_bytes(4, "big"), ".png")
@example(0, b"II*\x00\x08\x00\x00\x00\xff\xff", ".tif")
def test_any_bytes_as_an_image(tmp_path: Path, at: int, patch: bytes, suffix: str) -> None:
    folder = tmp_path / "images"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (folder / name / f"{number}.png").write_bytes(WHOLE)
    for old in (folder / "a").glob("spoilt.*"):
        old.unlink()
    spoilt = WHOLE[:at] + patch + WHOLE[at + len(patch) :] if at else patch
    (folder / "a" / f"spoilt{suffix}").write_bytes(spoilt)
    read_or_refused(folder)


YAML = st.recursive(
    st.one_of(
        CELLS, st.sampled_from(["!!timestamp x", "!!int y", "*a", "&a b", "!!binary '@'", "~"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(inner, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(["problem", "budget", "space", "search", "x"])


@FUZZ
@given(st.one_of(st.binary(max_size=200), YAML.map(lambda text: text.encode(errors="replace"))))
@example(b"[" * 2000)
@example(b"!!timestamp 'x'")
@example(b"a: &a [*a]")
@example(b'problem: {model: "\\ud800"}')
@example(b"\xff\xfe\x00")
def test_any_bytes_as_yaml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(content)
    for read in (lambda: read_yaml(path, "config"), lambda: read_study(path)):
        try:
            read()
        except ValueError as error:
            assert_one_line(error)


@FUZZ
@given(st.dictionaries(FIELDS, YAML, max_size=3))
def test_anything_in_a_study(tmp_path: Path, groups: dict[str, str]) -> None:
    path = tmp_path / "t.yaml"
    text = "\n".join(f"{name}: {value}" for name, value in groups.items())
    path.write_bytes(text.encode(errors="replace"))
    try:
        read_study(path)
    except ValueError as error:
        assert_one_line(error)
