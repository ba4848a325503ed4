"""What feature files hold, whatever their format: rows of labels and vectors, and what made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from reidctl.errors import InputError
from reidctl.types import ArtefactInfo, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Float32, Int64

CHUNK = 16_384
"""Rows that are read or written at once: 32 MB of 512 numbers each."""

SAME = ("weights_sha256", "model", "embedding_dim", "image")
"""What two sets of embeddings must share to be compared; where both name their weights, `model` is only a name."""

SAME_NUMBERS = (*SAME, "precision", "arithmetic")
"""What they must share to be of one kind in one file."""


@dataclass(frozen=True)
class Made:
    """What made the embeddings of a file.

    info: of the model, whose weights_sha256 is that of its file where it does not state one; model: its path, or the
    name of a preset; arithmetic: precision it computed in; input, extension: the options of these names.
    """

    info: ArtefactInfo
    model: str
    arithmetic: str
    reidctl: str
    input: str | None = None
    extension: str | None = None

    def to_strings(self) -> dict[str, str]:
        """One string per field, those of the model as artefacts have them, ours with `reidctl.` before the name."""
        own = {name: getattr(self, name) for name in ("model", "arithmetic", "reidctl", "input", "extension")}
        return {**self.info.to_strings(), **{f"reidctl.{name}": text for name, text in own.items() if text is not None}}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str]) -> Made | None:
        """The inverse of `to_strings`, ignoring other keys; None where the file does not say what made it.

        Other programs say so under the same keys and in other words, and newer versions in words that nobody knew.
        """
        try:
            info = ArtefactInfo.from_strings(strings)
        except ValueError:
            return None
        own = {key.removeprefix("reidctl."): text for key, text in strings.items() if key.startswith("reidctl.")}
        own = {key: text for key, text in own.items() if key in cls.__dataclass_fields__}
        return cls(info, **own) if info and {"model", "arithmetic", "reidctl"} <= own.keys() else None

    def differences(self, other: Made, *, strict: bool = False) -> list[str]:
        """`weights_sha256 1a2b… / 3c4d…` and the like: what keeps the embeddings of the two from being compared.

        strict: what keeps them from standing in one file, where precisions should not be mixed.
        """
        mine, theirs = ({**made.info.model_dump(), "arithmetic": made.arithmetic} for made in (self, other))
        if mine["weights_sha256"] and theirs["weights_sha256"]:
            mine["model"] = theirs["model"]
        keys = SAME_NUMBERS if strict else SAME
        return [f"{key} {_short(mine[key])} / {_short(theirs[key])}" for key in keys if mine[key] != theirs[key]]


class Labels(NamedTuple):
    """Columns of N rows: a name, who it shows, which camera saw it, and the file (None for a drawn picture)."""

    names: list[str]
    identities: Int64
    cameras: Int64
    paths: list[str | None]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Labels:
        """Those of samples, their paths made absolute."""
        return cls(
            [sample.name for sample in samples],
            np.array([sample.identity for sample in samples], np.int64),
            np.array([sample.camera for sample in samples], np.int64),
            [str(sample.image.absolute()) if isinstance(sample.image, Path) else None for sample in samples],
        )

    def kept(self, rows: NDArray[np.bool_]) -> Labels:
        """The rows where `rows` [N] is true."""
        names, paths = compress(self.names, rows), compress(self.paths, rows)
        return Labels(list(names), self.identities[rows], self.cameras[rows], list(paths))

    def sample(self, row: int) -> Sample:
        """One row; a picture that was drawn, not read, has its name for a path."""
        path = self.paths[row]
        return Sample(
            Path(path if path is not None else self.names[row]),
            self.names[row],
            int(self.identities[row]),
            int(self.cameras[row]),
        )


class Block(NamedTuple):
    """Consecutive rows: labels and vectors [N, D] float32."""

    labels: Labels
    vectors: Float32


class FeatureReader(Protocol):
    """One feature file, opened: its rows CHUNK by CHUNK, labels and vectors apart, in the same pieces."""

    path: Path
    rows: int
    dim: int
    strings: dict[str, str]

    def labels(self) -> Iterator[Labels]:
        """Names, identities, cameras and paths of consecutive rows."""
        ...

    def vectors(self) -> Iterator[Float32]:
        """Their vectors."""
        ...


Writer = Callable[[Path, Iterator[Block], int, int, dict[str, str]], None]
"""Writes (path, blocks, rows, dim, strings); `rows` is how many the blocks have together."""


def damaged(path: Path, reason: str) -> InputError:
    """The error for a feature file that was cut short, or is none."""
    return InputError(f"{path} cannot be read as a feature file: {reason}", "copy it again, or embed the images again")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same rows in blocks of CHUNK or a little more, the last one smaller."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if sum(len(each.vectors) for each in held) >= CHUNK:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(blocks: Sequence[Block]) -> Block:
    names = [name for block in blocks for name in block.labels.names]
    paths = [path for block in blocks for path in block.labels.paths]
    identities = np.concatenate([block.labels.identities for block in blocks])
    cameras = np.concatenate([block.labels.cameras for block in blocks])
    return Block(Labels(names, identities, cameras, paths), np.concatenate([block.vectors for block in blocks]))
