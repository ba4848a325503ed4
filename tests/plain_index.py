"""An index that is one pickled dictionary, searched by a loop: what the contract asks for and no more."""

import pickle
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from reidctl.errors import InputError
from reidctl.index import Found
from reidctl.types import Embeddings


class PlainIndex:
    """All in memory."""

    def __init__(self, *, location: str, dim: int | None = None, made: Mapping[str, str] | None = None) -> None:
        self._file = Path(location)
        if self._file.is_file():
            self.dim, self.made, self._rows = pickle.loads(self._file.read_bytes())
        elif dim is None:
            raise InputError(f"{location}: no index is there")
        else:
            self.dim, self.made, self._rows = dim, dict(made or {}), {}
            self._write()
        if dim not in (None, self.dim):
            raise InputError(f"{location} holds embeddings of {self.dim} numbers")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, embeddings: Embeddings, times: np.ndarray | None = None) -> None:
        self._require(embeddings.vectors)
        names = [sample.name for sample in embeddings.samples]
        if len(set(names)) < len(names):
            raise InputError("a name is there twice")
        seen = np.full(len(names), np.nan) if times is None else times
        for vector, sample, time in zip(embeddings.vectors, embeddings.samples, seen.tolist(), strict=True):
            self._rows[sample.name] = (vector.astype(float), sample, None if np.isnan(time) else time)
        self._write()

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        cameras: Collection[int] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[list[Found]]:
        if k < 1:
            raise InputError("k is below 1")
        self._require(queries)
        found = []
        for query in queries.astype(float):
            near = [
                Found(sample, float(1 - vector @ query / np.linalg.norm(vector) / np.linalg.norm(query)), time)
                for vector, sample, time in self._rows.values()
                if (cameras is None or sample.camera in cameras)
                and (since is None or (time is not None and time >= since))
                and (until is None or (time is not None and time < until))
            ]
            found.append(sorted(near, key=lambda each: each.distance)[:k])
        return found

    def delete(self, names: Collection[str]) -> int:
        there = [name for name in names if self._rows.pop(name, None)]
        self._write()
        return len(there)

    def close(self) -> None:
        pass

    def _require(self, vectors: np.ndarray) -> None:
        if vectors.shape[1] != self.dim or not vectors.any(axis=1).all():
            raise InputError("no such vectors")

    def _write(self) -> None:
        self._file.write_bytes(pickle.dumps((self.dim, self.made, self._rows)))
