"""Feature files as NumPy sees them: vectors in `.npy`, labels in a `.csv` beside it, and a `.json` that comes last."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.files import replacing, write_text
from reidctl.retrieval.features.rows import CHUNK, Block, Labels, damaged

if TYPE_CHECKING:
    from reidctl.types import Float32

HEADER = ["name", "identity", "camera", "path"]
SCHEMA = "reidctl.features/1"


def write_npy(path: Path, blocks: Iterator[Block], rows: int, dim: int, strings: dict[str, str]) -> None:
    """`path` [rows, dim] float32, its `.csv` (name, identity, camera, path) and its `.json` (sizes and what made them).

    The `.json` is taken away first and written last: without it, or with others than its sizes, the rest is
    unfinished. ValueError where the blocks have not `rows` rows.
    """
    table, facts = path.with_suffix(".csv"), path.with_suffix(".json")
    with replacing(path) as numbers, replacing(table) as lines:
        with numbers.open("wb") as vectors_file, lines.open("w", encoding="utf-8", newline="") as labels_file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
            np.lib.format.write_array_header_1_0(vectors_file, header)
            writer = csv.writer(labels_file)
            writer.writerow(HEADER)
            for labels, vectors in blocks:
                vectors_file.write(np.ascontiguousarray(vectors, "<f4").data)
                names, identities, cameras, paths = labels
                writer.writerows(zip(names, identities.tolist(), cameras.tolist(), paths, strict=True))
                rows -= len(vectors)
        if rows:
            raise ValueError(f"{path}: {rows} rows are missing")
        sizes = {"npy": numbers.stat().st_size, "csv": lines.stat().st_size}
        facts.unlink(missing_ok=True)
    write_text(facts, json.dumps({"schema": SCHEMA, "bytes": sizes, "made": strings}, indent=2) + "\n")


class NpyFeatures:
    """The three files, opened; InputError where one is missing, cut short, or does not fit the others."""

    def __init__(self, path: Path) -> None:
        facts, self._table = path.with_suffix(".json"), path.with_suffix(".csv")
        if not facts.is_file():
            raise damaged(path, f"it was not finished, for {facts.name} is not beside it")
        try:
            said: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
            sizes = {Path(path): said["bytes"]["npy"], self._table: said["bytes"]["csv"]}
            self.strings: dict[str, str] = said["made"]
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(facts, f"{type(error).__name__}: {error}") from error
        for file, size in sizes.items():
            there = file.stat().st_size if file.is_file() else 0
            if there != size:
                raise damaged(file, f"it has {there:,} bytes, and was written with {size:,}")
        try:
            self._vectors = np.load(path, mmap_mode="r")
        except ValueError as error:
            raise damaged(path, str(error)) from error
        self.path = path
        self.rows, self.dim = self._vectors.shape

    def labels(self) -> Iterator[Labels]:
        """Names, identities, cameras and paths of consecutive rows."""
        with self._table.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            if next(lines, None) != HEADER:
                raise damaged(self._table, f"its first line is not {','.join(HEADER)}")
            while chunk := list(islice(lines, CHUNK)):
                names, identities, cameras, paths = map(list, zip(*chunk, strict=True))
                yield Labels(
                    names, np.array(identities, np.int64), np.array(cameras, np.int64), [p or None for p in paths]
                )

    def vectors(self) -> Iterator[Float32]:
        """Their vectors."""
        for start in range(0, self.rows, CHUNK):
            yield np.array(self._vectors[start : start + CHUNK])
