import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from reidctl.errors import InputError
from reidctl.retrieval.features import Block, Features, Labels, Made, open_features, write_features
from reidctl.types import ArtefactInfo, Embeddings, ImageSpec, Sample

INFO = ArtefactInfo(
    model="fpn_osnet_x0_5",
    preset="retail-0267",
    image=ImageSpec(height=64, width=32),
    embedding_dim=5,
    weights_sha256="12ab",
    metrics={"market1501.mAP": 0.76},
    versions={"reidctl": "0.1"},
)
MADE = Made(INFO, model="/models/net.xml", arithmetic="f32", reidctl="0.1", input="bgr,raw")
SUFFIXES = (".parquet", ".npy")


def some(count: int, dim: int = 5, seed: int = 0) -> Embeddings:
    vectors = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    samples = tuple(Sample(Path(f"/pictures/{seed}-{i}.jpg"), f"{seed}-{i}", i - 1, i % 6) for i in range(count))
    return Embeddings(vectors, samples)


def written(path: Path, embeddings: Embeddings, made: Made = MADE, block: int = 7) -> Path:
    labels, count = Labels.of(embeddings.samples), len(embeddings.samples)
    blocks = (
        Block(Labels(*(column[i : i + block] for column in labels)), embeddings.vectors[i : i + block])
        for i in range(0, count, block)
    )
    write_features(path, blocks, count, made)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_gives_back_what_was_saved(tmp_path: Path, suffix: str) -> None:
    before = some(100)
    features = Features.open([written(tmp_path / f"features{suffix}", before)])
    after = features.embeddings()
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert after.vectors.dtype == np.float32
    assert after.samples == before.samples
    assert features.made == MADE
    assert {path.suffix for path in tmp_path.iterdir()} == (
        {suffix} if suffix == ".parquet" else {suffix, ".csv", ".json"}
    )


@given(st.lists(st.text(min_size=1), max_size=30), st.integers(1, 9))
def test_any_name_and_any_blocks_survive_both_formats(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], block: int
) -> None:
    names = [name.encode("utf-8", "ignore").decode().replace("\0", "") for name in names]
    samples = tuple(Sample(Path("/a.jpg"), name, i, 0) for i, name in enumerate(names))
    before = Embeddings(np.arange(5 * len(names), dtype=np.float32).reshape(-1, 5), samples)
    folder = tmp_path_factory.mktemp("names")
    for suffix in SUFFIXES:
        after = Features.open([written(folder / f"f{suffix}", before, block=block)]).embeddings()
        assert after.samples == samples
        np.testing.assert_array_equal(after.vectors, before.vectors)


def test_other_programs_read_both_formats(tmp_path: Path) -> None:
    before = some(3)
    table = parquet.read_table(written(tmp_path / "features.parquet", before))
    assert table.column_names == ["name", "identity", "camera", "path", "embedding"]
    assert table.schema.field("embedding").type == pyarrow.list_(pyarrow.float32(), 5)
    assert table.column("identity").to_pylist() == [-1, 0, 1]
    np.testing.assert_array_equal(table.column("embedding").to_pylist(), before.vectors)
    np.testing.assert_array_equal(np.load(written(tmp_path / "features.npy", before)), before.vectors)
    with (tmp_path / "features.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["camera"] for line in lines] == ["0", "1", "2"]
    assert json.loads((tmp_path / "features.json").read_text())["made"]["reidctl.arithmetic"] == "f32"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_relative_paths_are_written_absolute_and_drawn_images_have_none(tmp_path: Path, suffix: str) -> None:
    drawn = Sample(lambda: Image.new("RGB", (4, 8)), "drawn", 0, 0)
    samples = (Sample(Path("here.jpg"), "here", 0, 0), drawn)
    path = written(tmp_path / f"f{suffix}", Embeddings(np.ones((2, 5), np.float32), samples))
    [labels] = open_features(path).labels()
    assert labels.paths == [str(Path.cwd() / "here.jpg"), None]
    assert Features.open([path]).embeddings().samples[1].image == Path("drawn")


def test_shards_are_read_as_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [some(4, seed=1), some(3, seed=2)]
    files = [written(tmp_path / "a.parquet", parts[0]), written(tmp_path / "b.npy", parts[1])]
    for features in (Features.open(files), Features.open([tmp_path])):
        assert (features.rows, features.dim, features.made) == (7, 5, MADE)
        joined = features.embeddings()
        np.testing.assert_array_equal(joined.vectors, np.concatenate([part.vectors for part in parts]))
        assert joined.samples == parts[0].samples + parts[1].samples
        assert features.samples([5, 0, 5]) == {0: parts[0].samples[0], 5: parts[1].samples[1]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_more_than_a_chunk_is_read_at_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / f"f{suffix}", some(100), block=100)
    for module in ("parquet", "npy"):
        monkeypatch.setattr(f"reidctl.retrieval.features.{module}.CHUNK", 16)
    file = open_features(path)
    assert [len(vectors) for vectors in file.vectors()] == [16] * 6 + [4]
    assert [len(labels.names) for labels in file.labels()] == [16] * 6 + [4]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_keeps_its_size(tmp_path: Path, suffix: str) -> None:
    assert Features.open([written(tmp_path / f"none{suffix}", some(0))]).embeddings().vectors.shape == (0, 5)


def test_a_file_of_another_program_does_not_say_what_made_it(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet", some(2))
    parquet.write_table(parquet.read_table(path).replace_schema_metadata(), path)
    assert Features.open([path]).made is None


@pytest.mark.parametrize(
    "metadata",
    [
        {"model": "resnet50", "embedding_dim": "512"},
        {"model": '"resnet50"', "embedding_dim": '"many"'},
        {**MADE.to_strings(), "precision": '"f4"'},
        {b"model": b"\xff", b"embedding_dim": b"5"},
    ],
)
def test_words_that_are_not_ours_do_not_say_what_made_a_file(tmp_path: Path, metadata: dict[Any, Any]) -> None:
    path = written(tmp_path / "f.parquet", some(2))
    parquet.write_table(parquet.read_table(path).replace_schema_metadata(metadata), path)
    features = Features.open([path])
    assert (features.made, features.rows) == (None, 2)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("left", [0, 1, 20, -1])
def test_a_file_that_was_cut_short_is_one_clear_error(tmp_path: Path, suffix: str, left: int) -> None:
    path = written(tmp_path / f"f{suffix}", some(50))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=rf"f{suffix} cannot be read as a feature file") as caught:
        open_features(path)
    assert "\n" not in str(caught.value)


def test_a_changed_byte_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet", some(500), block=500)
    content = bytearray(path.read_bytes())
    content[content.index(some(500).vectors[250].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"f\.parquet cannot be read as a feature file: .*(crc|CRC|checksum)"):
        Features.open([path]).embeddings()


@pytest.mark.parametrize("gone", [".csv", ".json"])
def test_arrays_without_what_belongs_to_them_are_unfinished(tmp_path: Path, gone: str) -> None:
    path = written(tmp_path / "f.npy", some(5))
    path.with_suffix(gone).unlink()
    with pytest.raises(InputError, match="cannot be read as a feature file"):
        open_features(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"f{suffix}", some(5))
    with pytest.raises(ValueError, match="1 rows are missing"):
        write_features(path, iter([Block(Labels.of(some(5).samples), some(5).vectors)]), 6, MADE)
    assert Features.open([path]).rows == 5


@pytest.mark.parametrize(
    ("changed", "strict", "words"),
    [
        (lambda made: made, True, []),
        (lambda made: Made(made.info, "/elsewhere/net.onnx", "f32", "0.2"), True, []),
        (lambda made: Made(made.info, made.model, "bf16", "0.1"), False, []),
        (lambda made: Made(made.info, made.model, "bf16", "0.1"), True, ["arithmetic f32 / bf16"]),
        (
            lambda made: Made(INFO.model_copy(update={"weights_sha256": "34cd"}), made.model, "f32", "0.1"),
            False,
            ["weights_sha256 12ab / 34cd"],
        ),
    ],
)
def test_what_can_be_compared(changed: Callable[[Made], Made], strict: bool, words: list[str]) -> None:
    assert MADE.differences(changed(MADE), strict=strict) == words


def test_shards_of_different_models_are_refused(tmp_path: Path) -> None:
    other = Made(INFO.model_copy(update={"weights_sha256": "34cd"}), "/models/other.xml", "f32", "0.1")
    written(tmp_path / "a.parquet", some(2))
    written(tmp_path / "b.parquet", some(2), other)
    with pytest.raises(InputError, match=r"do not go together: weights_sha256 12ab / 34cd"):
        Features.open([tmp_path])
    written(tmp_path / "b.parquet", some(2, dim=7), Made(INFO.model_copy(update={"embedding_dim": 7}), "x", "f32", "0"))
    with pytest.raises(InputError, match="embeddings of 5 / 7 numbers"):
        Features.open([tmp_path])


def test_shards_of_different_models_are_refused_behind_a_file_that_names_none(tmp_path: Path) -> None:
    unnamed = written(tmp_path / "unnamed.parquet", some(3))
    parquet.write_table(parquet.read_table(unnamed).replace_schema_metadata(None), unnamed)
    one = written(tmp_path / "one.parquet", some(3))
    other = replace(MADE, info=INFO.model_copy(update={"weights_sha256": "34cd"}))
    with pytest.raises(InputError, match=r"one\.parquet and .*other\.parquet do not go together: weights_sha256 12ab"):
        Features.open([unnamed, one, written(tmp_path / "other.parquet", some(3), other)])


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("identity", ["anna", "bert", "carl"], "identity is string"),
        ("camera", [0.5, 1.0, 2.0], "camera is double"),
        ("name", [1, 2, 3], "name is int64"),
        ("identity", [1, None, 2], "identity has 1 null$"),
        ("embedding", [[1.0] * 5, None, [2.0] * 5], "embedding has 1 null$"),
    ],
)
def test_columns_of_another_program_that_are_not_ours_are_named(
    tmp_path: Path, column: str, values: list[Any], words: str
) -> None:
    """A row without an embedding would silently shift the names of all rows behind it."""
    path = written(tmp_path / "features.parquet", some(3))
    table = parquet.read_table(path)
    kind = pyarrow.list_(pyarrow.float32(), 5) if column == "embedding" else None
    place = table.schema.names.index(column)
    parquet.write_table(table.set_column(place, column, pyarrow.array(values, kind)), path)
    with pytest.raises(InputError, match=words):
        Features.open([path]).embeddings()


def test_what_is_no_feature_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no feature file"):
        Features.open([tmp_path])
    with pytest.raises(InputError, match=r"missing\.parquet: no such feature file$"):
        open_features(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("name,identity\n")
    with pytest.raises(InputError, match="cannot be read"):
        open_features(tmp_path / "text.parquet")
    parquet.write_table(pyarrow.table({"name": ["a"], "size": [3]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="is no feature file"):
        open_features(tmp_path / "other.parquet")
    (tmp_path / "f.npz").touch()
    with pytest.raises(InputError, match="no feature file ends so"):
        open_features(tmp_path / "f.npz")
