"""Figures by camera, and by pairs of a query's and a gallery's camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.retrieval.evaluation import APRule, QueryScores, RankCounter
from reidctl.retrieval.ranks import Matches

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from reidctl.retrieval.inputs import EvaluationInput
    from reidctl.types import Float32, Int64

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


def camera_figures(scores: QueryScores, cameras: Int64) -> tuple[CameraFigures, ...]:
    """The scores by the valid queries' cameras [V], in ascending order."""
    found = []
    for camera in np.unique(cameras):
        own = cameras == camera
        found.append(
            CameraFigures(
                camera=int(camera),
                queries=int(own.sum()),
                rank1=float(scores.within(1)[own].mean()),
                mAP=float(scores.average_precision[own].mean()),
                mINP=float(scores.inverse_negative_penalty[own].mean()),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class CameraPairs:
    """The queries of each camera among the gallery images of one camera only.

    Row a is query_cameras[a] [A], column b gallery_cameras[b] [B], both ascending: rank1 and mAP [A, B] are means over
    the queries [A, B] (their number) that have a match there, nan where none has (always so within one camera). Every
    image of the camera is ranked, whatever the protocol.
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


class CameraPairCounter:
    """Ranks the images of each camera apart, in the pass over the distances of them all."""

    def __init__(self, inputs: EvaluationInput) -> None:
        self._inputs = inputs
        self._cameras = np.unique(inputs.gallery_cams)
        self._columns = [np.flatnonzero(inputs.gallery_cams == camera) for camera in self._cameras]
        self._counters = [RankCounter(self._matches(columns)) for columns in self._columns]

    def _matches(self, columns: Int64) -> Matches:
        inputs = self._inputs
        return Matches(inputs.query_ids, inputs.gallery_ids[columns], inputs.query_cams, inputs.gallery_cams[columns])

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Count one block."""
        for columns, counter in zip(self._columns, self._counters, strict=True):
            counter.add(block[:, columns], start, pool)

    def found(self, ap_rule: APRule) -> CameraPairs:
        """The matrix over the cameras of the valid queries."""
        cameras = np.unique(self._inputs.query_cams[self._inputs.valid])
        shape = len(cameras), len(self._cameras)
        queries, rank1, precision = np.zeros(shape, np.int64), np.full(shape, np.nan), np.full(shape, np.nan)
        for column, counter in enumerate(self._counters):
            scores = QueryScores.of(counter.found(), ap_rule)
            own = self._inputs.query_cams[scores.valid]
            for figures in camera_figures(scores, own):
                cell = np.searchsorted(cameras, figures.camera), column
                queries[cell], rank1[cell], precision[cell] = figures.queries, figures.rank1, figures.mAP
        return CameraPairs(cameras, self._cameras, queries, rank1, precision)


def _plain(matrix: Float64) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in matrix]
