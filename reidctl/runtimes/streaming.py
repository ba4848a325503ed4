"""Batches through any runtime, as many at once as it can take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8


def embed_stream(runtime: Any, batches: Iterable[UInt8], done: Callable[[int, Float32], None]) -> None:
    """Embed every batch [B, H, W, 3]; done takes the number of a batch, from 0, and its embeddings [B, D].

    A runtime with a method of this name does it itself: the next batch is drawn when there is room for it, batches are
    done in any order, maybe in other threads, and the embeddings are valid during the call only. Of any other runtime
    one batch is computed after the other.
    """
    if hasattr(runtime, "embed_stream"):
        runtime.embed_stream(batches, done)
        return
    for index, images in enumerate(batches):
        done(index, runtime.embed_batch(images))
