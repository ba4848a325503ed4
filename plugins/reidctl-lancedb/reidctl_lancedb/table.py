"""The table: where it is, its columns, and what goes wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError, MissingExtra
from reidctl.types import Embeddings, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "embeddings"


def table_at(location: str) -> Any:
    """The table that is there; InputError where there is none."""
    lancedb = _lancedb()
    if "://" not in location and not Path(location, f"{NAME}.lance").is_dir():
        raise InputError(f"{location}: no index is there", "`reidctl indexes add` makes one")
    with explained(location):
        table = lancedb.connect(location).open_table(NAME)
    missing = {"name", "identity", "camera", "path", "time", "embedding"} - set(table.schema.names)
    if missing:
        raise InputError(f"{location} is no index of embeddings: it has no column {sorted(missing)[0]}")
    return table


def create(location: str, dim: int, made: Mapping[str, str]) -> Any:
    """A table for embeddings of `dim` numbers, or the one that is there."""
    import pyarrow

    if "://" not in location and Path(location, f"{NAME}.lance").is_dir():
        return table_at(location)
    lancedb = _lancedb()
    schema = pyarrow.schema(
        {
            "name": pyarrow.string(),
            "identity": pyarrow.int64(),
            "camera": pyarrow.int64(),
            "path": pyarrow.string(),
            "time": pyarrow.float64(),
            "embedding": pyarrow.list_(pyarrow.float32(), dim),
        },
        metadata=dict(made),
    )
    with explained(location):
        return lancedb.connect(location).create_table(NAME, schema=schema, exist_ok=True)


def rows_of(embeddings: Embeddings, times: NDArray[np.float64] | None, schema: Any) -> Any:
    """Embeddings as rows of the table: paths absolute, null for a drawn picture, null for a time that is not known."""
    import pyarrow

    samples = embeddings.samples
    seen = np.full(len(samples), np.nan) if times is None else np.asarray(times, np.float64)
    vectors = pyarrow.array(np.ascontiguousarray(embeddings.vectors, np.float32).reshape(-1))
    columns = [
        pyarrow.array([sample.name for sample in samples], pyarrow.string()),
        pyarrow.array(embeddings.identities),
        pyarrow.array(embeddings.cameras),
        pyarrow.array(
            [str(each.image.absolute()) if isinstance(each.image, Path) else None for each in samples], pyarrow.string()
        ),
        pyarrow.array(seen, mask=np.isnan(seen)),
        pyarrow.FixedSizeListArray.from_arrays(vectors, embeddings.vectors.shape[1]),
    ]
    return pyarrow.Table.from_arrays(columns, schema=schema)


def sample_of(row: Mapping[str, Any]) -> Sample:
    """A row as a sample; a picture that was drawn, not read, has its name for a path."""
    path = row["path"] if row["path"] is not None else row["name"]
    return Sample(Path(path), row["name"], row["identity"], row["camera"])


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def explained(location: str) -> Iterator[None]:
    """Within the block, what LanceDB raises is an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"{location}: LanceDB cannot use it: {lines[0]}", "add the embeddings to a new place"
        ) from error


def _lancedb() -> Any:
    # It writes warnings about itself to stderr.
    os.environ.setdefault("LANCE_LOG", "error")
    try:
        import lancedb
    except ImportError as error:
        raise MissingExtra(f"LanceDB does not import: {error}", "pip install lancedb") from error
    return lancedb
