"""Which row of a feature file is looked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reidctl.cli.querying import _of_row
from reidctl.errors import InputError
from reidctl.retrieval.features import Block, Features, Labels, Made, write_features
from reidctl.types import ArtefactInfo, Sample

MADE = Made(ArtefactInfo(model="tiny", embedding_dim=2), model="/net.xml", arithmetic="f32", reidctl="0.1")


@pytest.fixture
def features(tmp_path: Path) -> Features:
    """Rows of the names a, b and 0, 1, 9, in two blocks; the vector is the number of the row."""
    files = [tmp_path / "1.npy", tmp_path / "2.npy"]
    for file, rows in zip(files, ({0: "a", 1: "b"}, {2: "0", 3: "1", 4: "9"}), strict=True):
        samples = [Sample(Path(f"/{name}.jpg"), name, 0, 0) for name in rows.values()]
        vectors = np.array([[row, row] for row in rows], np.float32)
        write_features(file, iter([Block(Labels.of(samples), vectors)]), len(rows), MADE)
    return Features.open(files)


@pytest.mark.parametrize(("row", "found"), [("a", 0), ("b", 1), ("0", 2), ("1", 3), ("9", 4), ("2", 2), ("4", 4)])
def test_a_name_comes_before_a_number_wherever_it_is(features: Features, row: str, found: int) -> None:
    embeddings = _of_row(features, row, Path("f.npy"))
    assert embeddings.vectors.tolist() == [[found, found]]
    assert embeddings.samples[0].name == ["a", "b", "0", "1", "9"][found]


@pytest.mark.parametrize("row", ["c", "5", "-1", ""])
def test_what_is_neither_is_refused(features: Features, row: str) -> None:
    with pytest.raises(InputError, match=f"f.npy has no row '{row}'") as caught:
        _of_row(features, row, Path("f.npy"))
    assert caught.value.hint == "give a name, or a number from 0 to 4"
