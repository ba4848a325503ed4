from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from reidctl.errors import InputError
from reidctl.retrieval.features import load_features, save_features
from reidctl.types import ArtefactInfo, Embeddings, ImageSpec, Sample

INFO = ArtefactInfo(
    model="fpn_osnet_x0_5",
    preset="retail-0267",
    image=ImageSpec(height=64, width=32),
    embedding_dim=5,
    metrics={"market1501.mAP": 0.76},
    versions={"reidctl": "0.1"},
)


def some(count: int, dim: int = 5, seed: int = 0) -> Embeddings:
    vectors = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    samples = tuple(Sample(Path(f"/pictures/{seed}-{i}.jpg"), f"{seed}-{i}", i - 1, i % 6) for i in range(count))
    return Embeddings(vectors, samples)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    before = some(100)
    save_features(before, INFO, tmp_path / "features.parquet")
    after = load_features(tmp_path / "features.parquet")
    np.testing.assert_array_equal(after.embeddings.vectors, before.vectors)
    assert after.embeddings.vectors.dtype == np.float32
    assert after.embeddings.samples == before.samples
    assert after.info == INFO
    assert [path.name for path in tmp_path.iterdir()] == ["features.parquet"]


def test_other_programs_read_the_columns(tmp_path: Path) -> None:
    before = some(3)
    save_features(before, INFO, tmp_path / "features.parquet")
    table = parquet.read_table(tmp_path / "features.parquet")
    assert table.column_names == ["name", "identity", "camera", "path", "embedding"]
    assert table.schema.field("embedding").type == pyarrow.list_(pyarrow.float32(), 5)
    assert table.column("identity").to_pylist() == [-1, 0, 1]
    np.testing.assert_array_equal(table.column("embedding").to_pylist(), before.vectors)


def test_relative_paths_are_written_absolute_and_drawn_images_have_none(tmp_path: Path) -> None:
    drawn = Sample(lambda: Image.new("RGB", (4, 8)), "drawn", 0, 0)
    samples = (Sample(Path("here.jpg"), "here", 0, 0), drawn)
    save_features(Embeddings(np.ones((2, 5), np.float32), samples), INFO, tmp_path / "f.parquet")
    assert parquet.read_table(tmp_path / "f.parquet").column("path").to_pylist() == [str(Path.cwd() / "here.jpg"), None]
    assert load_features(tmp_path / "f.parquet").embeddings.samples[1].image == Path("drawn")


def test_a_folder_of_shards_is_read_as_one_file(tmp_path: Path) -> None:
    parts = [some(4, seed=1), some(3, seed=2)]
    for number, part in enumerate(parts):
        save_features(part, INFO, tmp_path / f"part-{number}.parquet")
    joined = load_features(tmp_path)
    np.testing.assert_array_equal(joined.embeddings.vectors, np.concatenate([part.vectors for part in parts]))
    assert joined.embeddings.samples == parts[0].samples + parts[1].samples
    assert joined.info == INFO


def test_an_empty_file_keeps_its_size(tmp_path: Path) -> None:
    save_features(some(0), INFO, tmp_path / "none.parquet")
    assert load_features(tmp_path / "none.parquet").embeddings.vectors.shape == (0, 5)


def test_a_file_of_another_program_has_no_info(tmp_path: Path) -> None:
    save_features(some(2), INFO, tmp_path / "f.parquet")
    parquet.write_table(parquet.read_table(tmp_path / "f.parquet").replace_schema_metadata(), tmp_path / "f.parquet")
    assert load_features(tmp_path / "f.parquet").info is None


def test_shards_of_different_models_are_refused(tmp_path: Path) -> None:
    save_features(some(2), INFO, tmp_path / "a.parquet")
    save_features(some(2, dim=7), INFO, tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"embeddings of \[5, 7\] numbers"):
        load_features(tmp_path)


def test_what_is_no_feature_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no feature file"):
        load_features(tmp_path)
    with pytest.raises(InputError, match=r"missing\.parquet: no such feature file$"):
        load_features(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("name,identity\n")
    with pytest.raises(InputError, match="cannot be read"):
        load_features(tmp_path / "text.parquet")
    parquet.write_table(pyarrow.table({"name": ["a"], "size": [3]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="is no feature file"):
        load_features(tmp_path / "other.parquet")
