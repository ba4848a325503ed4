"""Are two artefacts the same network, to within what their precisions explain?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reidctl.artefacts import locate
from reidctl.errors import InputError
from reidctl.export.compare import Difference, Tolerance, coarsest, difference, tolerance_for, unit
from reidctl.runtimes.child import Crashed, embedding_limit_s, run_in_child
from reidctl.types import ArtefactInfo, Embeddings, ReidData, Sample

if TYPE_CHECKING:
    from reidctl.types import Embedder, Float32


@dataclass(frozen=True)
class Scores:
    """What the two artefacts reach on one data set, fractions of 1: (of a, of b)."""

    target: str
    queries: int
    rank1: tuple[float, float]
    mAP: tuple[float, float]

    def allowed(self, tolerance: Tolerance) -> float:
        """How far the figures may be apart: at least what a single query can make of them."""
        return max(tolerance.accuracy, 1 / self.queries)

    def within(self, tolerance: Tolerance) -> bool:
        """Whether neither figure is further apart than allowed."""
        return all(abs(a - b) <= self.allowed(tolerance) + 1e-9 for a, b in (self.rank1, self.mAP))


@dataclass(frozen=True)
class Verification:
    """What the comparison of two artefacts found.

    error: why one of them gave no embeddings (it crashed or hung); then there is no difference. precisions are the
    coarser of the stored weights and the arithmetic asked for, of a and of b. direction: only the directions of the
    embeddings were compared, since one artefact gives them unit length.
    """

    a: str
    b: str
    images: int
    precisions: tuple[str, str] | None = None
    difference: Difference | None = None
    tolerance: Tolerance | None = None
    scores: tuple[Scores, ...] = ()
    direction: bool = False
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the two are the same network, as far as their precisions allow to tell."""
        if self.difference is None or self.tolerance is None or not self.difference.within(self.tolerance):
            return False
        return all(each.within(self.tolerance) for each in self.scores)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**asdict(self), "ok": self.ok}


class Embedded(NamedTuple):
    """What an artefact says of itself, and the embeddings [N, D] of the images it was given."""

    info: ArtefactInfo
    vectors: Float32


def verify(
    a: str | Path | Embedder,
    b: str | Path,
    samples: Sequence[Sample] = (),
    *,
    targets: Sequence[ReidData] = (),
    device: str = "cpu",
    precision: str | None = None,
    batch_size: int = 64,
    timeout_s: float | None = None,
) -> Verification:
    """Embed the same images with two artefacts, each in a process of its own, and compare.

    a, b: checkpoints, ONNX files, IR, run folders or presets; a is the reference, and may be an embedder that is open
    already, which computes here. samples: the images; those of the query and gallery of `targets` are compared, too,
    and rank-1 and mAP of both on each. precision: arithmetic of both, None for f32. An artefact that crashes its
    engine, or gives no answer in timeout_s, None for what so many images may take, becomes the `error` of the result.
    Raises InputError for files that cannot be opened, different embedding lengths, or no images.
    """
    images = [*samples, *(sample for target in targets for sample in (*target.query, *target.gallery))]
    if not images:
        raise InputError("no images to compare two models on")
    names = [str(model) if isinstance(model, str | Path) else model.info.model for model in (a, b)]
    for model in (a, b):
        if isinstance(model, str | Path):
            locate(model)
    found: list[Embedded] = []
    for model, name in zip((a, b), names, strict=True):
        try:
            if isinstance(model, str | Path):
                found.append(embedded(model, images, device, precision, batch_size, timeout_s=timeout_s))
            else:
                found.append(_with(model, images, batch_size))
        except Crashed as crash:
            return Verification(names[0], names[1], len(images), error=f"{name}: {crash}")
    return compared(names, found, len(samples), targets, precision)


def embedded(
    model: str | Path,
    samples: Sequence[Sample],
    device: str = "cpu",
    precision: str | None = None,
    batch_size: int = 64,
    *,
    timeout_s: float | None = None,
) -> Embedded:
    """The samples' embeddings by an artefact in a process of its own; Crashed where that gives none in the time."""
    limit_s = embedding_limit_s(len(samples)) if timeout_s is None else timeout_s
    return run_in_child(_embed, model, tuple(samples), device, precision, batch_size, timeout_s=limit_s)


def compared(
    names: Sequence[str],
    found: Sequence[Embedded],
    offset: int = 0,
    targets: Sequence[ReidData] = (),
    precision: str | None = None,
) -> Verification:
    """The comparison of two artefacts' embeddings of the same images; those of `targets` begin at row `offset`."""
    (info_a, vectors_a), (info_b, vectors_b) = found
    if vectors_a.shape != vectors_b.shape:
        lengths = f"{vectors_a.shape[1]} and {vectors_b.shape[1]}"
        raise InputError(
            f"{names[0]} and {names[1]} are not the same network: their embeddings have lengths {lengths}",
            "give two files of one network",
        )
    arithmetic = precision or "f32"
    direction = info_a.unit_length or info_b.unit_length
    pair = (unit(vectors_a), unit(vectors_b)) if direction else (vectors_a, vectors_b)
    scores = []
    for target in targets:
        scores.append(_scores(target, *(vectors[offset:] for vectors in pair)))
        offset += len(target.query) + len(target.gallery)
    return Verification(
        names[0],
        names[1],
        len(vectors_a),
        precisions=(coarsest(info_a.precision, arithmetic), coarsest(info_b.precision, arithmetic)),
        difference=difference(*pair),
        tolerance=tolerance_for(info_a.precision, info_b.precision, arithmetic),
        scores=tuple(scores),
        direction=direction,
    )


def _scores(target: ReidData, *pair: Float32) -> Scores:
    from reidctl.retrieval import evaluate

    first, last = len(target.query), len(target.query) + len(target.gallery)
    a, b = (
        evaluate(Embeddings(vectors[:first], target.query), Embeddings(vectors[first:last], target.gallery), ranks=(1,))
        for vectors in pair
    )
    return Scores(target.name, a.valid_queries, (a.cmc[1], b.cmc[1]), (a.mAP, b.mAP))


def _embed(
    model: str | Path, samples: tuple[Sample, ...], device: str, precision: str | None, batch_size: int
) -> Embedded:
    from reidctl.runtimes import open_embedder

    return _with(open_embedder(model, device=device, precision=precision), samples, batch_size)


def _with(embedder: Embedder, samples: Sequence[Sample], batch_size: int) -> Embedded:
    from reidctl.retrieval import embed

    return Embedded(embedder.info, embed(embedder, samples, batch_size=batch_size).vectors)
