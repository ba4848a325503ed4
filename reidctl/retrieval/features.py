"""Embeddings as Parquet files: one row per image, and what made them in the file's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.files import replacing
from reidctl.types import ArtefactInfo, Embeddings, Sample

if TYPE_CHECKING:
    from pyarrow import Table

COLUMNS = ["name", "identity", "camera", "path", "embedding"]
ROW_GROUP = 65_536
# Embeddings hardly shrink and would take four times as long to write.
TEXT_ONLY = {"name": "zstd", "path": "zstd"}


@dataclass(frozen=True)
class FeatureFile:
    """What a feature file holds; info is None where another program wrote it."""

    embeddings: Embeddings
    info: ArtefactInfo | None


def save_features(embeddings: Embeddings, info: ArtefactInfo, path: Path) -> None:
    """Write columns name, identity, camera, path (null for a drawn image) and embedding (fixed-size list of float32).

    Paths are written absolute. The file is there whole or not at all.
    """
    import pyarrow
    from pyarrow import parquet

    dim = embeddings.vectors.shape[1]
    numbers = pyarrow.array(np.ascontiguousarray(embeddings.vectors, dtype=np.float32).reshape(-1))
    table = pyarrow.table(
        {
            "name": pyarrow.array([sample.name for sample in embeddings.samples], pyarrow.string()),
            "identity": embeddings.identities,
            "camera": embeddings.cameras,
            "path": pyarrow.array([_path_of(sample) for sample in embeddings.samples], pyarrow.string()),
            "embedding": pyarrow.FixedSizeListArray.from_arrays(numbers, dim),
        }
    ).replace_schema_metadata(info.to_strings())
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, row_group_size=ROW_GROUP, compression=TEXT_ONLY, use_dictionary=False)


def load_features(path: Path) -> FeatureFile:
    """Read what `save_features` wrote: one file, or a folder of the files (shards), joined in order of their names.

    The sample of an image that was drawn, not read, has its name for a path. InputError for what is no such
    file, for files of different embedding sizes, and for an empty folder.
    """
    import pyarrow

    if not path.exists():
        raise InputError(f"{path}: no such feature file", "`reidctl embed` writes them")
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no feature file", "`reidctl embed` writes them, with the suffix .parquet")
    tables = [_read_table(file) for file in files]
    sizes = {table.schema.field("embedding").type.list_size for table in tables}
    if len(sizes) > 1:
        raise InputError(
            f"{path}: embeddings of {sorted(sizes)} numbers do not go together", "one model must make them all"
        )
    table = pyarrow.concat_tables([table.replace_schema_metadata() for table in tables]).combine_chunks()
    metadata = tables[0].schema.metadata or {}
    info = ArtefactInfo.from_strings({key.decode(): value.decode() for key, value in metadata.items()})
    return FeatureFile(_embeddings(table, sizes.pop()), info)


def _read_table(file: Path) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(file)
        missing = [column for column in COLUMNS if column not in schema.names]
        if missing or not pyarrow.types.is_fixed_size_list(schema.field("embedding").type):
            raise InputError(
                f"{file} is no feature file: its columns are {', '.join(schema.names)}",
                f"{', '.join(COLUMNS)} (a fixed-size list of float32) are needed",
            )
        return parquet.read_table(file, columns=COLUMNS)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file} cannot be read as a feature file: {error}") from error


def _embeddings(table: Table, dim: int) -> Embeddings:
    numbers = table.column("embedding").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = np.asarray(numbers, dtype=np.float32).reshape(-1, dim)
    columns = (table.column(name).to_pylist() for name in ("path", "name", "identity", "camera"))
    samples = tuple(
        Sample(Path(path if path is not None else name), name, identity, camera)
        for path, name, identity, camera in zip(*columns, strict=True)
    )
    return Embeddings(vectors, samples)


def _path_of(sample: Sample) -> str | None:
    return str(sample.image.absolute()) if isinstance(sample.image, Path) else None
