"""`reidctl visact`: where a network looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from reidctl.cli.options import Data, Device, Extension, Force, InputFacts, Json, Model, Root
from reidctl.cli.output import output
from reidctl.errors import InputError


def visact(
    model: Model,
    data: Data = [],
    root: Root = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("visact"),
    part: Annotated[Literal["query", "gallery"], typer.Option("--part", help="Images to look at.")] = "query",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images.", show_default=False)
    ] = None,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw image, activation map and both overlaid; needs a checkpoint, a run or a preset."""
    from reidctl.cli.targets import open_model, open_targets
    from reidctl.data.images import load_array, read_image
    from reidctl.files import refuse_existing, replacing
    from reidctl.retrieval.activation import draw_activation

    refuse_existing(folder, force)
    opened = open_model(model, device, None, input_, extension)
    if not hasattr(opened.embedder.runtime, "feature_maps"):
        raise InputError(f"{model}: its feature maps cannot be reached", "give the checkpoint it was made from")
    drawn: dict[str, int] = {}
    with replacing(folder) as temporary:
        for target in open_targets(data, root, opened.config):
            samples = (target.query if part == "query" else target.gallery)[:limit]
            (temporary / target.name).mkdir(parents=True)
            with output.progress(f"draw {target.name}", len(samples)) as advance:
                for sample in samples:
                    # A copy, because torch takes only arrays that may be written to.
                    array = load_array(sample, opened.embedder.info.image).copy()
                    feature_map = opened.embedder.runtime.feature_maps(array[None])[0]
                    picture = draw_activation(read_image(sample.image), feature_map)
                    picture.save(temporary / target.name / f"{sample.name}.jpg", quality=92)
                    advance(1)
            drawn[target.name] = len(samples)
    if json:
        output.json("reidctl.visact/1", {"folder": str(folder), "maps": drawn})
        return
    for name, count in drawn.items():
        output.text(f"{folder / name} ({count} maps)")
