"""The check of every export before it takes its name: it must give the embeddings of what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from reidctl.data.images import read_image, resized
from reidctl.data.sources import open_dataset
from reidctl.errors import CheckFailed
from reidctl.export.verification import Verification, verify
from reidctl.types import ImageSpec, Sample, Spec

if TYPE_CHECKING:
    from reidctl.export.int8 import Quantization
    from reidctl.types import Embedder

PEDESTRIANS = 16
"""Drawn pedestrians that an export is checked on where nobody names images."""


@dataclass(frozen=True)
class Exported:
    """What an export made, how the check went (None where it was left out), and what INT8 came to."""

    path: Path
    verification: Verification | None = None
    quantization: Quantization | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "file": str(self.path),
            "verification": self.verification and self.verification.as_dict(),
            "int8": self.quantization and asdict(self.quantization),
        }


Told = Callable[[Exported], None]


def require_same(
    reference: Path | Embedder, made: Path, target: Path, image: ImageSpec, samples: Sequence[Sample] = ()
) -> Verification:
    """How the file `made`, which is to become `target`, embeds beside what it was made from; CheckFailed if otherwise.

    Without samples on drawn pedestrians of the size of `image`. Both compute in f32 on the CPU; a file does so in a
    process of its own.
    """
    found = verify(reference, made, samples or pedestrians(PEDESTRIANS, image.size))
    found = replace(found, b=str(target))
    if found.error:
        raise CheckFailed(
            f"{target}: OpenVINO cannot run what was exported: {found.error}",
            "nothing was written; --no-verify writes it all the same",
        )
    apart, allowed = found.difference, found.tolerance
    if not found.ok and apart and allowed:
        raise CheckFailed(
            f"{target}: what was exported is not the same network: cosine {apart.cosine_min:.6f} (allowed "
            f"{allowed.cosine_min}), on average {apart.cosine_mean:.6f} ({allowed.cosine_mean}), relative error "
            f"{apart.relative_error:.2g} ({allowed.relative_error:g})",
            "nothing was written; the network has an operation that is computed differently, or does not bear INT8",
        )
    return found


def pedestrians(count: int, size: tuple[int, int]) -> tuple[Sample, ...]:
    """Drawn pedestrians of different people at `size` (height, width): the same every time."""
    query = open_dataset(Spec(name="synthetic"), Path()).query
    people = list({sample.identity: sample for sample in query}.values())[:count]
    # Resized here, for that takes torch, and to import it again takes longer than all the rest of a check.
    arrays = [(sample.name, np.asarray(resized(read_image(sample.image), size))) for sample in people]
    return tuple(Sample(partial(Image.fromarray, array), name, identity=-1, camera=0) for name, array in arrays)
