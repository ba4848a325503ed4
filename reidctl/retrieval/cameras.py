"""Figures by camera, and by pairs of a query's and a gallery's camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Int64

    Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class CameraFigures:
    """The means over the valid queries of one camera; fractions of 1."""

    camera: int
    queries: int
    rank1: float
    mAP: float
    mINP: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "camera": self.camera,
            "queries": self.queries,
            "rank1": self.rank1,
            "mAP": self.mAP,
            "mINP": self.mINP,
        }


@dataclass(frozen=True)
class CameraPairs:
    """The queries of each camera among the gallery images of one camera only.

    Row a is query_cameras[a] [A], column b gallery_cameras[b] [B], both ascending: rank1 and mAP [A, B] are means over
    the queries [A, B] (their number) that have a match there, nan where none has (always so within one camera).
    """

    query_cameras: Int64
    gallery_cameras: Int64
    queries: Int64
    rank1: Float64
    mAP: Float64

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`; None for nan."""
        return {
            "query_cameras": self.query_cameras.tolist(),
            "gallery_cameras": self.gallery_cameras.tolist(),
            "queries": self.queries.tolist(),
            "rank1": _plain(self.rank1),
            "mAP": _plain(self.mAP),
        }


def _plain(matrix: Float64) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in matrix]
