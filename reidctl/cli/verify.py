"""`reidctl verify`: are two artefacts the same network?"""

from __future__ import annotations

from typing import Annotated

import typer

from reidctl.cli.comparing import Images, images_named, show_comparison
from reidctl.cli.options import Data, Json, Precision, Root, complete_model
from reidctl.cli.output import output
from reidctl.errors import CheckFailed

Artefact = Annotated[
    str,
    typer.Argument(help="A checkpoint, .onnx, .xml or run folder.", autocompletion=complete_model, show_default=False),
]
IMAGES = 64
"""Drawn pedestrians that are compared on where no images are named."""


def verify(
    a: Artefact,
    b: Artefact,
    data: Data = [],
    root: Root = None,
    images: Images = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images, without labels.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, or another that both artefacts can use.")] = "cpu",
    precision: Precision = None,
    json: Json = False,
) -> None:
    """Embed the same images with A and B, each in its own process, and compare; exit 1 out of tolerance.

    Without --data and --images on drawn pedestrians. With --data the rank-1 and mAP of both are compared, too.
    """
    from pathlib import Path

    from reidctl.cli.targets import open_data
    from reidctl.export import verify as compare

    samples, targets = images_named(data, root, images, limit)
    if not samples and not targets:
        samples = open_data("synthetic", Path()).query[: limit or IMAGES]
    with output.status("embed the images twice"):
        found = compare(a, b, samples, targets=targets, device=device, precision=precision)
    if json:
        output.json("reidctl.verify/2", found.as_dict())
    else:
        show_comparison(found)
        output.text("ok: the same network" if found.ok else "not the same network")
    if not found.ok:
        pair = " and ".join(found.precisions or ())
        raise CheckFailed(found.error or f"{b} is not the same network as {a} to the tolerance of {pair}")
