"""Feature files by their suffix, one or several as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.features.npy import NpyFeatures, write_npy
from reidctl.retrieval.features.parquet import ParquetFeatures, write_parquet
from reidctl.retrieval.features.rows import Block, FeatureReader, Labels, Made, Writer
from reidctl.types import Embeddings, Sample

if TYPE_CHECKING:
    from reidctl.types import Float32

WRITERS: dict[str, Writer] = {".parquet": write_parquet, ".npy": write_npy}


def is_feature_file(path: Path) -> bool:
    """By its suffix."""
    return path.suffix.lower() in WRITERS


def require_format(path: Path) -> None:
    """InputError where the suffix of an output is that of no format."""
    if not is_feature_file(path):
        raise InputError(f"{path}: no feature file ends so", f"end it with {' or '.join(WRITERS)}")


def files_of(path: Path) -> list[Path]:
    """What is written for an output of that name."""
    return [path] if path.suffix.lower() == ".parquet" else [path, path.with_suffix(".csv"), path.with_suffix(".json")]


def write_features(path: Path, blocks: Iterator[Block], rows: int, made: Made) -> None:
    """Write `rows` rows that come in blocks, in the format of the suffix: Parquet, or .npy with .csv and .json."""
    require_format(path)
    WRITERS[path.suffix.lower()](path, blocks, rows, made.info.embedding_dim, made.to_strings())


def open_features(path: Path) -> FeatureReader:
    """One feature file; InputError for what is none, or was cut short."""
    if not path.is_file():
        raise InputError(f"{path}: no such feature file", "`reidctl embed` writes them")
    require_format(path)
    return ParquetFeatures(path) if path.suffix.lower() == ".parquet" else NpyFeatures(path)


class Features:
    """Feature files read as one, CHUNK rows at a time; made is None where another program wrote one of them."""

    def __init__(self, files: Sequence[FeatureReader]) -> None:
        if not files:
            raise InputError("no feature files")
        self.files = files
        self.rows = sum(file.rows for file in files)
        self.dim = files[0].dim
        known = [(file, made) for file in files if (made := Made.from_strings(file.strings))]
        self.made = known[0][1] if len(known) == len(files) else None
        for file in files[1:]:
            if file.dim != self.dim:
                raise _apart(files[0], file, [f"embeddings of {self.dim} / {file.dim} numbers"])
        for file, made in known[1:]:
            if different := known[0][1].differences(made):
                raise _apart(known[0][0], file, different)

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Features:
        """The files, and those in folders, in order of their names there.

        InputError for what is no feature file or was cut short, for a folder without one, and for files whose
        embeddings cannot be compared.
        """
        files = []
        for path in paths:
            found = sorted(file for file in path.iterdir() if is_feature_file(file)) if path.is_dir() else [path]
            if not found:
                raise InputError(f"{path} holds no feature file", "`reidctl embed` writes .parquet and .npy")
            files += [open_features(file) for file in found]
        return cls(files)

    def vectors(self) -> Iterator[Float32]:
        """Vectors [n, D] of consecutive rows."""
        for file in self.files:
            yield from file.vectors()

    def labels(self) -> Iterator[Labels]:
        """What describes them, in the same pieces."""
        for file in self.files:
            yield from file.labels()

    def blocks(self) -> Iterator[Block]:
        """Both."""
        for labels, vectors in zip(self.labels(), self.vectors(), strict=True):
            yield Block(labels, vectors)

    def samples(self, rows: Sequence[int]) -> dict[int, Sample]:
        """The samples of some rows, by row."""
        wanted, start, found = sorted(set(rows), reverse=True), 0, {}
        for labels in self.labels():
            stop = start + len(labels.names)
            while wanted and wanted[-1] < stop:
                row = wanted.pop()
                found[row] = labels.sample(row - start)
            if not wanted:
                break
            start = stop
        return found

    def embeddings(self) -> Embeddings:
        """All rows, in memory."""
        blocks = list(self.blocks())
        samples = tuple(labels.sample(row) for labels, _ in blocks for row in range(len(labels.names)))
        vectors = [np.empty((0, self.dim), np.float32), *(block.vectors for block in blocks)]
        return Embeddings(np.concatenate(vectors), samples)


def _apart(one: FeatureReader, other: FeatureReader, different: Sequence[str]) -> InputError:
    return InputError(
        f"{one.path} and {other.path} do not go together: {', '.join(different)}", "one model must make them all"
    )
