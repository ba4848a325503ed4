"""Embeddings in a table of LanceDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge
from pydantic import Field

from reidctl.errors import InputError
from reidctl.index import Found
from reidctl.types import Embeddings
from reidctl_lancedb.table import create, explained, quoted, rows_of, sample_of, table_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Float32

    Float64 = NDArray[np.float64]

NAMES_AT_ONCE = 10_000
"""Names in one statement of SQL."""

QUERIES_AT_ONCE = 64
"""Whose results are held at once; LanceDB runs them side by side."""

ROWS_A_LIST = 1024


class LanceIndex:
    """A table of LanceDB at a folder, or at an address that LanceDB knows (`s3://…`), for any number of embeddings.

    From `approximate_from` rows on an index of inverted lists (IVF, vectors as they are) is kept, in which a search
    looks through the `probes` lists nearest to the query, and through rows that are in no list yet. Below, and with 0,
    a search is exact; so is one of some cameras or a span of time, which compares all rows that are chosen.
    """

    def __init__(
        self,
        approximate_from: Annotated[
            int, Ge(0), Field(description="rows from which on a search may be approximate, 0 for never")
        ] = 100_000,
        probes: Annotated[int, Ge(1), Field(description="lists that a query looks through")] = 16,
        *,
        location: str,
        dim: int | None = None,
        made: Mapping[str, str] | None = None,
    ) -> None:
        self._from, self._probes, self._location = approximate_from, probes, location
        self._table = table_at(location) if dim is None else create(location, dim, made or {})
        schema = self._table.schema
        self.dim: int = schema.field("embedding").type.list_size
        self.made = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        if dim not in (None, self.dim):
            raise InputError(f"{location} holds embeddings of {self.dim} numbers, not {dim}", "name another place")

    def __len__(self) -> int:
        with explained(self._location):
            count: int = self._table.count_rows()
        return count

    def add(self, embeddings: Embeddings, times: Float64 | None = None) -> None:
        """Add embeddings, replacing those of the same names; times [N] in seconds since 1970, nan where unknown."""
        self._require_directions(embeddings.vectors)
        names = [sample.name for sample in embeddings.samples]
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise InputError(f"'{twice}' is there twice", "in an index every image has a name of its own")
        rows = rows_of(embeddings, times, self._table.schema)
        with explained(self._location):
            if self._table.count_rows():
                matched = self._table.merge_insert("name").when_matched_update_all()
                matched.when_not_matched_insert_all().execute(rows)
            else:
                self._table.add(rows)
            self._keep_lists()

    def search(
        self,
        queries: Float32,
        k: int,
        *,
        cameras: Collection[int] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[list[Found]]:
        """Of each query the k nearest of these cameras, seen since <= time < until."""
        if k < 1:
            raise InputError(f"cannot find the {k} nearest")
        self._require_directions(queries)
        chosen = _filter(cameras, since, until)
        found: list[list[Found]] = []
        with explained(self._location):
            for start in range(0, len(queries), QUERIES_AT_ONCE):
                found += self._nearest(queries[start : start + QUERIES_AT_ONCE], k, chosen)
        return found

    def delete(self, names: Collection[str]) -> int:
        """Take away those of these names; how many there were."""
        before, listed = len(self), sorted(set(names))
        with explained(self._location):
            for start in range(0, len(listed), NAMES_AT_ONCE):
                some = ", ".join(map(quoted, listed[start : start + NAMES_AT_ONCE]))
                self._table.delete(f"name IN ({some})")
        return before - len(self)

    def close(self) -> None:
        """Let go of the table; everything is written already."""
        self._table = None

    def _nearest(self, queries: Float32, k: int, chosen: str | None) -> list[list[Found]]:
        asked = self._table.search(np.ascontiguousarray(queries, np.float32)).distance_type("cosine").limit(k)
        asked = asked.nprobes(self._probes).select(
            [*(name for name in self._table.schema.names if name != "embedding"), "_distance"]
        )
        if chosen:
            asked = asked.where(chosen, prefilter=True)
        # Lists hold few of the rows that are chosen, so that the nearest of them are anywhere.
        if chosen or not self._is_approximate():
            asked = asked.bypass_vector_index()
        found: list[list[Found]] = [[] for _ in queries]
        for row in asked.to_arrow().to_pylist():
            distance = min(max(row["_distance"], 0.0), 2.0)
            # With one query there is no column that says whose a row is.
            found[row.get("query_index", 0)].append(Found(sample_of(row), distance, row["time"]))
        return [sorted(near, key=lambda each: each.distance) for near in found]

    def _is_approximate(self) -> bool:
        """Whether there are rows enough; lists may be there without, made for others or for more rows."""
        return 0 < self._from <= len(self)

    def _keep_lists(self) -> None:
        """Sort what is new into the lists; make them where there are rows enough for the first time."""
        from lancedb.index import BTree, IvfFlat

        rows = self._table.count_rows()
        there = {index.name for index in self._table.list_indices()}
        if self._is_approximate() and "embedding_idx" not in there:
            lists = IvfFlat(distance_type="cosine", num_partitions=max(1, rows // ROWS_A_LIST))
            self._table.create_index("embedding", config=lists)
            for column in ("name", "camera", "time"):
                self._table.create_index(column, config=BTree())
        elif there:
            self._table.optimize()

    def _require_directions(self, vectors: Float32) -> None:
        if vectors.shape[1:] != (self.dim,):
            raise InputError(
                f"{self._location} holds embeddings of {self.dim} numbers, not {vectors.shape[-1]}",
                "both must come from the same model",
            )
        empty = ~vectors.any(axis=1)
        if empty.any():
            raise InputError(f"row {int(empty.argmax())} is all zeros, which has no direction")


def _filter(cameras: Collection[int] | None, since: float | None, until: float | None) -> str | None:
    """The condition in SQL; a time that is not known (null) is in no span."""
    conditions: Sequence[str | None] = (
        None
        if cameras is None
        else "false"
        if not cameras
        else f"camera IN ({', '.join(str(int(each)) for each in sorted(cameras))})",
        None if since is None else f"time >= {float(since)!r}",
        None if until is None else f"time < {float(until)!r}",
    )
    return " AND ".join(condition for condition in conditions if condition) or None
