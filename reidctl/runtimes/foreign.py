"""Files that say nothing of their input: what their users say in their place, and what is assumed without a word."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from annotated_types import Ge
from pydantic import Field, model_validator

from reidctl.errors import InputError
from reidctl.types import ArtefactInfo, ImageSpec, StrictModel

if TYPE_CHECKING:
    from reidctl.runtimes.graph import Input

logger = logging.getLogger(__name__)

Side = Annotated[int, Ge(16)]
Colors = tuple[float, float, float]


class Foreign(StrictModel):
    """What a file takes that does not say so itself; None leaves a fact to what its format suggests.

    A file that was exported by reidctl states all of this; to contradict it is an error.
    """

    color_order: Annotated[Literal["rgb", "bgr"] | None, Field(description="order of the colour channels")] = None
    pixels: Annotated[
        Literal["raw", "normalized"] | None,
        Field(description="raw: 0…255; normalized: RGB divided by 255, mean and std, in the network's order"),
    ] = None
    height: Annotated[Side | None, Field(description="image height, where the file leaves it free")] = None
    width: Annotated[Side | None, Field(description="image width, where the file leaves it free")] = None
    mean: Annotated[Colors | None, Field(description="channel means of normalized pixels, RGB on 0…1")] = None
    std: Annotated[Colors | None, Field(description="channel deviations of normalized pixels, RGB on 0…1")] = None
    output: Annotated[str | None, Field(description="name of the output that holds the embeddings")] = None

    @model_validator(mode="after")
    def _consistent(self) -> Foreign:
        if self.pixels == "raw" and (self.mean or self.std):
            raise ValueError("raw pixels are 0…255: mean and std belong to normalized ones")
        if (self.height is None) != (self.width is None):
            raise ValueError("height and width come together")
        return self


class Assumption(NamedTuple):
    """What files of one format take unless they, or their users, say otherwise."""

    color_order: Literal["rgb", "bgr"]
    pixels: Literal["raw", "normalized"]
    words: str


ASSUMED = {
    ".xml": Assumption("bgr", "raw", "as after Model Optimizer with --reverse_input_channels and --mean_values"),
    ".onnx": Assumption("rgb", "normalized", "as exporters of PyTorch networks leave it"),
}


def describe(foreign: Foreign, taken: Input, precision: str, embedding_dim: int, path: Path) -> ArtefactInfo:
    """The info of a file that has none, from what is said of it and what its format suggests; warns of the latter."""
    assumed = ASSUMED[path.suffix.lower()]
    normalized_by_word = "normalized" if foreign.mean or foreign.std else None
    given = {
        "height": taken.height or foreign.height,
        "width": taken.width or foreign.width,
        "mean": foreign.mean,
        "std": foreign.std,
    }
    info = ArtefactInfo.model_validate(
        {
            "model": path.stem,
            "image": {key: value for key, value in given.items() if value is not None},
            "color_order": foreign.color_order or assumed.color_order,
            "pixels": foreign.pixels or normalized_by_word or assumed.pixels,
            "layout": taken.layout,
            "precision": precision,
            "embedding_dim": embedding_dim,
        }
    )
    if not (foreign.color_order and (foreign.pixels or normalized_by_word)):
        _warn_once(f"{path} says nothing of its input; taken to be {_words(info)}, {assumed.words}")
    return info


def require_agreement(foreign: Foreign, info: ArtefactInfo, path: Path) -> None:
    """InputError where `foreign` contradicts what the file states of itself."""
    stated = {"color_order": info.color_order, "pixels": info.pixels, **info.image.model_dump()}
    for key, said in foreign.model_dump(exclude={"output"}, exclude_none=True).items():
        if stated[key] != said:
            raise InputError(
                f"{path} states that it takes {_words(info)}: {key} is not {_plain(said)}",
                "leave it out: only files that say nothing of their input need to be told",
            )


def require_size(foreign: Foreign, taken: Input, path: Path) -> tuple[int, int]:
    """(height, width) of a file without info; InputError where nobody gives one, or two disagree."""
    if taken.height is None or taken.width is None:
        if foreign.height is None or foreign.width is None:
            raise InputError(
                f"{path} leaves the size of its images free", "say it with --input, for example --input 256x128"
            )
        return taken.height or foreign.height, taken.width or foreign.width
    if foreign.height is not None and (foreign.height, foreign.width) != (taken.height, taken.width):
        said = f"{foreign.height}x{foreign.width}"
        raise InputError(f"{path} takes images of {taken.height}x{taken.width}, not of {said} (height x width)")
    return taken.height, taken.width


def _words(info: ArtefactInfo) -> str:
    order = info.color_order.upper()
    if info.pixels == "raw":
        return f"{order} 0…255"
    if (info.image.mean, info.image.std) == (ImageSpec().mean, ImageSpec().std):
        return f"{order} with ImageNet's mean and deviation"
    return f"{order} with mean {list(info.image.mean)} and deviation {list(info.image.std)}"


def _plain(said: Any) -> str:
    return str(list(said)) if isinstance(said, tuple) else str(said)


@cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)
