"""Feature files in Parquet: one row per image, and what made them in the file's metadata."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError
from reidctl.files import replacing
from reidctl.retrieval.features.rows import CHUNK, Block, Labels, damaged

if TYPE_CHECKING:
    from reidctl.types import Float32, Int64

LABELS = ["name", "identity", "camera", "path"]
COLUMNS = [*LABELS, "embedding"]
TEXT = ("string", "large_string", "dictionary")
KINDS = {"name": TEXT, "identity": ("integer",), "camera": ("integer",), "path": (*TEXT, "null")}
"""What other programs may write the labels as."""
# Embeddings hardly shrink and would take four times as long to write.
TEXT_ONLY = {"name": "zstd", "path": "zstd"}


def write_parquet(path: Path, blocks: Iterator[Block], rows: int, dim: int, strings: dict[str, str]) -> None:
    """Columns name, identity, camera, path (null for a drawn image) and embedding (fixed-size list of float32).

    A block is a row group, whose pages carry checksums. The file is there whole or not at all; ValueError where the
    blocks have not `rows` rows.
    """
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        {
            "name": pyarrow.string(),
            "identity": pyarrow.int64(),
            "camera": pyarrow.int64(),
            "path": pyarrow.string(),
            "embedding": pyarrow.list_(pyarrow.float32(), dim),
        },
        metadata=strings,
    )
    settings: dict[str, Any] = {"compression": TEXT_ONLY, "use_dictionary": False, "write_page_checksum": True}
    with replacing(path) as temporary:
        with parquet.ParquetWriter(temporary, schema, **settings) as writer:
            for labels, vectors in blocks:
                numbers = pyarrow.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
                embedding = pyarrow.FixedSizeListArray.from_arrays(numbers, dim)
                writer.write_table(pyarrow.Table.from_arrays([*map(_array, labels), embedding], schema=schema))
                rows -= len(vectors)
        if rows:
            raise ValueError(f"{path}: {rows} rows are missing")


def _array(column: Any) -> Any:
    import pyarrow

    return pyarrow.array(column, pyarrow.int64() if isinstance(column, np.ndarray) else pyarrow.string())


class ParquetFeatures:
    """A feature file that was opened; InputError for one that is damaged, cut short or something else."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        with _explained(path):
            metadata = parquet.read_metadata(path)
            schema = metadata.schema.to_arrow_schema()
        missing = [column for column in COLUMNS if column not in schema.names]
        if missing or not pyarrow.types.is_fixed_size_list(schema.field("embedding").type):
            raise InputError(
                f"{path} is no feature file: its columns are {', '.join(schema.names)}",
                f"{', '.join(COLUMNS)} (a fixed-size list of float32) are needed",
            )
        for column in LABELS:
            kind, wanted = schema.field(column).type, KINDS[column]
            if not any(getattr(pyarrow.types, f"is_{name}")(kind) for name in wanted):
                raise InputError(
                    f"{path} is no feature file: its column {column} is {kind}", f"it must be {' or '.join(wanted)}"
                )
        self.path = path
        self.rows: int = metadata.num_rows
        self.dim: int = schema.field("embedding").type.list_size
        # Other programs may keep bytes there that are no text.
        said = [[part.decode(errors="replace") for part in entry] for entry in (schema.metadata or {}).items()]
        self.strings: dict[str, str] = dict(said)

    def labels(self) -> Iterator[Labels]:
        """Names, identities, cameras and paths of consecutive rows."""
        for table in self._batches(LABELS):
            names, identities, cameras = (self._whole(table, name) for name in LABELS[:3])
            paths = table.column("path")
            yield Labels(names.to_pylist(), _numbers(identities), _numbers(cameras), paths.to_pylist())

    def vectors(self) -> Iterator[Float32]:
        """Their vectors."""
        for table in self._batches(["embedding"]):
            numbers = self._whole(table, "embedding").flatten().to_numpy(zero_copy_only=False)
            yield np.asarray(numbers, dtype=np.float32).reshape(-1, self.dim)

    def _whole(self, table: Any, name: str) -> Any:
        """A column that says something of every row: what is left out would shift all that follows."""
        column = table.column(name)
        if column.null_count:
            rows = f"{column.null_count} null{'s' * (column.null_count > 1)}"
            raise InputError(f"{self.path} is no feature file: its column {name} has {rows}", "leave such rows out")
        return column

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        from pyarrow import parquet

        # Opened for this reading alone: a file that stays open keeps what was read of it.
        with _explained(self.path), parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
            yield from file.iter_batches(CHUNK, columns=columns)


def _numbers(column: Any) -> Int64:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        raise damaged(path, " ".join(str(error).split())) from error
