"""INT8 that keeps its accuracy: the fewest layers stay in floating point that a goal on a test needs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reidctl.errors import CheckFailed
from reidctl.export.int8 import Quantization, as_fed
from reidctl.export.layers import damage, quantized_layers, take_back
from reidctl.export.rounding import scale_ahead
from reidctl.export.verification import embedded
from reidctl.runtimes.graph import write_info
from reidctl.types import ArtefactInfo, Embeddings, ReidData, Sample

logger = logging.getLogger(__name__)

JUDGED = 32
"""Calibration images on which the damage of each layer is measured at most."""

Metric = Literal["mAP", "rank1"]


@dataclass(frozen=True)
class Goal:
    """How much of a metric on the test of a data set an INT8 network may lose, a fraction of 1."""

    target: ReidData
    max_drop: float = 0.005
    metric: Metric = "mAP"


def meeting(
    goal: Goal, graph: Any, plain: Any, info: ArtefactInfo, source: Path, calibration: Sequence[Sample]
) -> tuple[Any, Quantization]:
    """The quantised graph with as few layers in floating point as meet the goal, and what that came to.

    plain is the graph before, of the file `source`. Layers are ranked by how much nearer the embeddings of calibration
    images come once each alone is taken back, and the worst are: doubling their number until the goal is met, then
    bisecting. CheckFailed where it is not met with all of them taken back.
    """
    images = [*goal.target.query, *goal.target.gallery]
    before = _score(goal, embedded(source, images).vectors)
    layers = quantized_layers(graph)
    worst: list[str] = []
    scores: dict[int, float] = {}

    def candidate(count: int) -> Any:
        made = graph.clone()
        take_back(made, plain, worst[:count])
        scale_ahead(made)
        return made

    def holds(count: int) -> bool:
        if count and not worst:
            worst.extend(_ranked(graph, plain, info, calibration))
        with tempfile.TemporaryDirectory(prefix="reidctl-") as folder:
            scores[count] = _score(goal, embedded(_saved(candidate(count), info, Path(folder)), images).vectors)
        logger.info("%d of %d layers in floating point: %s %.4f", count, len(layers), goal.metric, scores[count])
        return before - scores[count] <= goal.max_drop

    count = fewest(len(layers), holds)
    if count is None:
        best = max(scores, key=lambda tried: scores[tried])
        raise CheckFailed(
            f"INT8 loses more than {goal.metric} {goal.max_drop:g} on {goal.target.name} whatever stays in floating "
            f"point: {before:.4f} becomes {scores[0]:.4f}, at best {scores[best]:.4f} with {best} of {len(layers)} "
            "layers in floating point",
            "nothing was written; allow more with --max-drop, or use --weights fp16",
        )
    return candidate(count), Quantization(
        layers=len(layers),
        floating=tuple(name for name in layers if name in worst[:count]),
        target=goal.target.name,
        metric=goal.metric,
        before=before,
        after=scores[count],
        max_drop=goal.max_drop,
    )


def fewest(most: int, holds: Callable[[int], bool]) -> int | None:
    """The least count of 0…most for which `holds`, where it holds for all greater ones too; None where for none.

    Asks about 2 · log2 of the answer times, each count at most once.
    """
    failed, count = -1, 0
    while not holds(count):
        if count == most:
            return None
        failed, count = count, min(most, max(1, 2 * count))
    while count - failed > 1:
        middle = (failed + count) // 2
        if holds(middle):
            count = middle
        else:
            failed = middle
    return count


def _ranked(graph: Any, plain: Any, info: ArtefactInfo, calibration: Sequence[Sample]) -> list[str]:
    """The quantised layers, the most damaging first."""
    size = graph.inputs[0].shape[0]
    count = max(1, min(JUDGED, len(calibration)) // size)
    batches = np.split(as_fed(calibration[: count * size], info), count)
    found = damage(graph, plain, batches)
    return sorted(found, key=lambda name: found[name], reverse=True)


def _saved(graph: Any, info: ArtefactInfo, folder: Path) -> Path:
    from openvino import save_model

    path = folder / "candidate.xml"
    write_info(graph, info)
    save_model(graph, path, compress_to_fp16=False)
    return path


def _score(goal: Goal, vectors: Any) -> float:
    from reidctl.retrieval import evaluate

    split = len(goal.target.query)
    query = Embeddings(vectors[:split], goal.target.query)
    found = evaluate(query, Embeddings(vectors[split:], goal.target.gallery), ranks=(1,))
    return found.mAP if goal.metric == "mAP" else found.cmc[1]
