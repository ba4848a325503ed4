"""What an index of embeddings is asked, and what it answers: the contract of the parts in `reidctl.indexes`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reidctl.types import Embeddings, Float32, Sample

    Float64 = NDArray[np.float64]


class Found(NamedTuple):
    """What an index found: the sample, how far it is (cosine distance, 0…2), and when it was seen.

    time is in seconds since 1970-01-01 UTC, None where nobody said.
    """

    sample: Sample
    distance: float
    time: float | None


class Index(Protocol):
    """Embeddings [N, D] with their labels, at a place that outlives the process, each under the name of its sample.

    dim: D; made: what made them, as feature files say it (`{}` where nobody said). What a call changed is there for the
    next one that opens the place, whether `close` was called or not.
    """

    dim: int
    made: dict[str, str]

    def __len__(self) -> int:
        """How many there are."""
        ...

    def add(self, embeddings: Embeddings, times: Float64 | None = None) -> None:
        """Add embeddings, replacing those of the same names; times [N] in seconds since 1970, nan where unknown.

        InputError for vectors of another length, of zeros, and for a name that is there twice in the call.
        """
        ...

    def search(
        self,
        queries: Float32,
        k: int,
        *,
        cameras: Collection[int] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[list[Found]]:
        """Of each query [Q, D] the k nearest, or fewer where there are fewer, by cosine distance, ascending.

        Only of these cameras, and with since <= time < until; who has no time is in no span of time. May be
        approximate in a large index. InputError for vectors of another length or of zeros, and for k < 1.
        """
        ...

    def delete(self, names: Collection[str]) -> int:
        """Take away those of these names; how many there were."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
