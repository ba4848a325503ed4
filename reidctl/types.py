"""The values that cross module boundaries; each refuses nonsense once, at construction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, ConfigDict, Field, model_validator

from reidctl.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]
    Int64 = NDArray[np.int64]


class StrictModel(BaseModel):
    """A frozen record that takes no unknown key, no value of another type and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class Spec(BaseModel):
    """A part named in the configuration, with its own parameters beside the name.

    `{name: am_softmax, margin: 0.4}`; the bare string `am_softmax` is short for `{name: am_softmax}`.
    The parameters are checked against the signature of what the name stands for, not here.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    name: Annotated[str, MinLen(1), Field(description="registered name, or package:name where two packages offer it")]

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def parameters(self) -> dict[str, Any]:
        """What stands beside the name."""
        return dict(self.model_extra or {})


UnitInterval = Annotated[float, Ge(0), Le(1)]
Deviation = Annotated[float, Gt(0), Le(1)]


class ImageSpec(StrictModel):
    """What must be fed to a network; it travels inside every artefact.

    height, width in pixels; mean and std per RGB channel on the scale 0…1.
    """

    height: Annotated[int, Ge(16), Field(description="input height in pixels")] = 256
    width: Annotated[int, Ge(16), Field(description="input width in pixels")] = 128
    mean: Annotated[
        tuple[UnitInterval, UnitInterval, UnitInterval],
        Field(description="channel means subtracted from RGB in 0…1"),
    ] = (0.485, 0.456, 0.406)
    std: Annotated[
        tuple[Deviation, Deviation, Deviation],
        Field(description="channel deviations that RGB in 0…1 is divided by"),
    ] = (0.229, 0.224, 0.225)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of one person: where its pixels come from, who it shows, which camera saw it.

    image: a file, or a picklable callable that draws the picture (PIL, RGB);
    name: a file-system-safe stem that identifies the image in galleries and feature files;
    identity: -1 is junk (a bad detection), 0 and up a person (0 the distractors of Market-1501);
    camera: 0 and up.
    """

    image: Path | Callable[[], Image]
    name: str
    identity: int
    camera: int

    def __post_init__(self) -> None:
        if self.identity < -1 or self.camera < 0:
            raise InputError(
                f"{self.name}: identity {self.identity} and camera {self.camera} are not a sample's numbers",
                "identities are -1 (junk) and up, cameras 0 and up",
            )


def camera_number(camera: int) -> int:
    """The number that people and file names give a sample's camera: 0 is `c1`. JSON and CSV have the sample's own."""
    return camera + 1


@dataclass(frozen=True)
class ReidData:
    """A data set: training samples, and the query and gallery of its test.

    Identities of train are 0…n-1 without gaps; those of query and gallery are the data set's own.
    Any of the three may be empty (a training-only or test-only set). distractors are gallery
    identities that stand for nobody (0 in Market-1501): they match no query and never become a class.
    train_identities[label] is the number that query and gallery would give the person of a training label; empty where
    the data set numbers its training people apart, so that nothing tells whether they are tested on, too.
    train_sources: how many of the training samples each of several joined data sets gave, in order; empty for one.
    """

    name: str
    train: tuple[Sample, ...] = ()
    query: tuple[Sample, ...] = ()
    gallery: tuple[Sample, ...] = ()
    distractors: frozenset[int] = frozenset()
    train_identities: tuple[int, ...] = ()
    train_sources: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        known = {sample.identity for sample in self.train}
        if known != set(range(len(known))):
            raise InputError(f"data set '{self.name}': training identities are not 0…{len(known) - 1} without gaps")
        if self.train_identities and not len(known) == len(self.train_identities) == len(set(self.train_identities)):
            raise InputError(f"data set '{self.name}': {len(known)} training identities have not as many numbers")
        if self.train_sources and sum(self.train_sources) != len(self.train):
            raise InputError(f"data set '{self.name}': its sources do not add up to {len(self.train)} training images")

    @property
    def num_identities(self) -> int:
        """Number of training identities."""
        return len({sample.identity for sample in self.train})


class Mixed(NamedTuple):
    """A training batch whose images may each show two people.

    images [B, 3, H, W]: image i is to `share` (0…1) of the person that its own label names, the rest of it of
    partners[i] [B] int64.
    """

    images: Tensor
    partners: Tensor
    share: float


@dataclass(frozen=True)
class Embeddings:
    """Row i of `vectors` [N, D] float32, finite, describes samples[i]."""

    vectors: Float32
    samples: tuple[Sample, ...]

    def __post_init__(self) -> None:
        import numpy as np

        if self.vectors.ndim != 2 or len(self.vectors) != len(self.samples):
            raise InputError(f"embeddings of shape {self.vectors.shape} do not describe {len(self.samples)} samples")
        broken = ~np.isfinite(self.vectors).all(axis=1)
        if broken.any():
            first = self.samples[int(broken.argmax())].name
            raise InputError(f"{int(broken.sum())} embeddings are not finite, the first that of '{first}'")

    @property
    def identities(self) -> Int64:
        """[N] int64."""
        import numpy as np

        return np.array([sample.identity for sample in self.samples], dtype=np.int64)

    @property
    def cameras(self) -> Int64:
        """[N] int64."""
        import numpy as np

        return np.array([sample.camera for sample in self.samples], dtype=np.int64)


@dataclass(frozen=True)
class Metrics:
    """What an evaluation found; fractions of 1.

    cmc[k] is the share of valid queries with a match among the first k; a query whose identity
    no other camera of the gallery saw is invalid: left out of every mean and counted. Protocols cuhk03 and
    single-shot draw galleries at random, from `seed`; market1501 draws nothing and has none.
    """

    cmc: dict[int, float]
    mAP: float
    mINP: float
    valid_queries: int
    invalid_queries: int
    gallery: int
    ap_rule: Literal["step", "trapezoid"] = "step"
    metric: Literal["cosine", "euclidean"] = "cosine"
    reranked: bool = False
    protocol: Literal["market1501", "cuhk03", "single-shot"] = "market1501"
    seed: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`: rank-k as `rank1`, `rank5`, …"""
        return {
            **{f"rank{k}": value for k, value in self.cmc.items()},
            "mAP": self.mAP,
            "mINP": self.mINP,
            "valid_queries": self.valid_queries,
            "invalid_queries": self.invalid_queries,
            "gallery": self.gallery,
            "ap_rule": self.ap_rule,
            "metric": self.metric,
            "reranked": self.reranked,
            "protocol": self.protocol,
            "seed": self.seed,
        }


class ArtefactInfo(BaseModel):
    """What a checkpoint, ONNX file or IR says of itself; written into the file, read by every command.

    pixels: `normalized` takes RGB that was divided by 255, mean and std; `raw` takes 0…255 and normalises inside.
    resize: how a picture comes to the size of `image`: `bilinear`, before, by a filter that averages where it shrinks,
    as Pillow's does; `inside`, in the file itself, by the same filter: it takes pictures of any size.
    unit_length: whether the embeddings are divided by their length inside.
    metrics are fractions of 1 by `<data set>.<metric>`; versions are those of the packages that wrote the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: str
    preset: str | None = None
    image: ImageSpec = ImageSpec()
    color_order: Literal["rgb", "bgr"] = "rgb"
    pixels: Literal["normalized", "raw"] = "normalized"
    layout: Literal["nchw", "nhwc"] = "nchw"
    resize: Literal["bilinear", "inside"] = "bilinear"
    unit_length: bool = False
    precision: Literal["f32", "f16", "bf16", "int8"] = "f32"
    embedding_dim: int
    weights_sha256: str | None = None
    metrics: dict[str, float] = {}
    versions: dict[str, str] = {}

    def to_strings(self) -> dict[str, str]:
        """One string per field, for formats that store only strings; prefix-free keys, values as JSON."""
        return {key: json.dumps(value) for key, value in self.model_dump(mode="json").items()}

    @classmethod
    def from_strings(cls, entries: Mapping[str, str]) -> ArtefactInfo | None:
        """The inverse of `to_strings`, ignoring other keys; None when the file carries no such metadata."""
        if not {"model", "embedding_dim"} <= entries.keys():
            return None
        known = {key: json.loads(text) for key, text in entries.items() if key in cls.model_fields}
        # As JSON, because the strict records inside take a list for a tuple only from there.
        return cls.model_validate_json(json.dumps(known))


class Embedder(Protocol):
    """A checkpoint, ONNX file or IR, opened: every one answers the same question in the same way."""

    info: ArtefactInfo

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB of `info.image.size` -> embeddings [B, D], not normalised
        unless `info.unit_length`."""
        ...


class Family(Protocol):
    """Many parts behind one entry point: what an entry point whose name ends in `/*` is the target of."""

    def names(self) -> Iterable[str]:
        """Every member, without the family's own name before it."""
        ...

    def __call__(self, member: str) -> Any:
        """The part called `member`, with a signature of its own; KeyError, or UnknownName, where there is none."""
        ...


class StreamEmbedder(Embedder, Protocol):
    """An Embedder that computes several batches at once."""

    def embed_stream(self, batches: Iterable[UInt8], done: Callable[[int, Float32], None]) -> None:
        """Embed batches, none larger than the first; done takes the number of each, from 0, and its embeddings."""
        ...
