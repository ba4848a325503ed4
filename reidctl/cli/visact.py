"""`reidctl visact`: where a network looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reidctl.cli.options import Data, Device, Extension, Force, InputFacts, Json, Model, OnBadImage, Root
from reidctl.cli.output import output
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from reidctl.cli.targets import OpenedModel
    from reidctl.types import ReidData, Sample

Part = Literal["query", "gallery", "train", "all"]


def visact(
    model: Model,
    data: Data = [],
    root: Root = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", "-i", help="A folder of images, an image or a list instead of --data.", show_default=False
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("visact"),
    part: Annotated[Part, typer.Option("--part", help="Images of the data set to look at.")] = "query",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images.", show_default=False)
    ] = None,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw image, activation map and both overlaid: of a checkpoint, an ONNX file or an IR."""
    from reidctl.cli.targets import open_model, open_targets
    from reidctl.data.listing import listed_images
    from reidctl.files import refuse_existing, replacing
    from reidctl.retrieval.gallery import require_names_apart

    if images and data:
        raise ConfigError("--images and --data both choose the images", "leave one of the two out")
    refuse_existing(folder, force)
    listed = listed_images(images)[:limit] if images else ()
    require_names_apart("images", [sample.name for sample in listed])
    opened = open_model(model, device, None, input_, extension)
    if not hasattr(opened.embedder.runtime, "feature_maps"):
        raise InputError(f"{model}: its feature maps cannot be reached", "give the checkpoint it was made from")
    drawn: dict[str, int] = {}
    with replacing(folder) as temporary:
        if images:
            chosen = {"images": listed}
        else:
            targets = open_targets(data, root, opened.config, on_bad_image)
            chosen = {target.name: _samples(target, part)[:limit] for target in targets}
        for name, samples in chosen.items():
            _draw(opened, name, samples, temporary / name)
            drawn[name] = len(samples)
    if json:
        output.json("reidctl.visact/1", {"folder": str(folder), "maps": drawn})
        return
    for name, count in drawn.items():
        output.text(f"{folder / name} ({count} maps)")


def _samples(target: ReidData, part: Part) -> tuple[Sample, ...]:
    """The samples of a part, each name once: a gallery may hold the queries, too."""
    parts = {"query": target.query, "gallery": target.gallery, "train": target.train}
    samples = [sample for name, held in parts.items() if part in (name, "all") for sample in held]
    if not samples:
        raise ConfigError(f"--part {part}: {target.name} has no such images", "look at another part")
    return tuple({sample.name: sample for sample in samples}.values())


def _draw(opened: OpenedModel, name: str, samples: Sequence[Sample], folder: Path) -> None:
    from reidctl.data.images import load_array, read_image
    from reidctl.retrieval.activation import draw_activation

    folder.mkdir(parents=True)
    with output.progress(f"draw {name}", len(samples)) as advance:
        for sample in samples:
            # A copy, because torch takes only arrays that may be written to.
            array = load_array(sample, opened.embedder.info.image).copy()
            feature_map = opened.embedder.runtime.feature_maps(array[None])[0]  # type: ignore[attr-defined]
            picture = draw_activation(read_image(sample.image), feature_map)
            picture.save(folder / f"{sample.name}.jpg", quality=92)
            advance(1)
