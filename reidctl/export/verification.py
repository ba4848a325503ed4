"""Are two artefacts the same network, to within what their precisions explain?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.artefacts import locate
from reidctl.errors import InputError
from reidctl.export.compare import Difference, Tolerance, difference, tolerance_for
from reidctl.runtimes.child import Crashed, run_in_child
from reidctl.types import ArtefactInfo, Sample

if TYPE_CHECKING:
    from reidctl.types import Float32

TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Verification:
    """What the comparison of two artefacts found.

    error: why one of them gave no embeddings (it crashed or hung); then there is no difference. precisions are the
    coarser of the stored weights and the arithmetic asked for, of a and of b.
    """

    a: str
    b: str
    images: int
    precisions: tuple[str, str] | None = None
    difference: Difference | None = None
    tolerance: Tolerance | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the two are the same network, as far as their precisions allow to tell."""
        return self.difference is not None and self.tolerance is not None and self.difference.within(self.tolerance)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**asdict(self), "ok": self.ok}


def verify(
    a: str | Path,
    b: str | Path,
    samples: Sequence[Sample],
    *,
    device: str = "cpu",
    precision: str | None = None,
    batch_size: int = 64,
    timeout_s: float = TIMEOUT_S,
) -> Verification:
    """Embed the same images with two artefacts, each in a process of its own, and compare.

    a, b: checkpoints, ONNX files, IR, run folders or presets; a is the reference. precision: arithmetic of both, None
    for f32. An artefact that crashes its engine, or gives no answer in timeout_s, becomes the `error` of the result.
    Raises InputError for files that cannot be opened, different embedding lengths, or no samples.
    """
    if not samples:
        raise InputError("no images to compare two models on")
    names = str(a), str(b)
    for model in (a, b):
        locate(model)
    found = []
    how = tuple(samples), device, precision, batch_size
    for model in (a, b):
        try:
            found.append(run_in_child(_embed, model, *how, timeout_s=timeout_s))
        except Crashed as crash:
            return Verification(*names, len(samples), error=f"{model}: {crash}")
    (info_a, vectors_a), (info_b, vectors_b) = found
    if vectors_a.shape != vectors_b.shape:
        lengths = f"{vectors_a.shape[1]} and {vectors_b.shape[1]}"
        raise InputError(f"{a} and {b} are not the same network: their embeddings have lengths {lengths}")
    return Verification(
        *names,
        len(samples),
        precisions=(_precision(info_a, precision), _precision(info_b, precision)),
        difference=difference(vectors_a, vectors_b),
        tolerance=tolerance_for(info_a.precision, info_b.precision, precision or "f32"),
    )


def _precision(info: ArtefactInfo, arithmetic: str | None) -> str:
    return arithmetic if info.precision == "f32" and arithmetic else info.precision


def _embed(
    model: str | Path, samples: tuple[Sample, ...], device: str, precision: str | None, batch_size: int
) -> tuple[ArtefactInfo, Float32]:
    from reidctl.retrieval import embed
    from reidctl.runtimes import open_embedder

    embedder = open_embedder(model, device=device, precision=precision)
    return embedder.info, embed(embedder, samples, batch_size=batch_size).vectors
