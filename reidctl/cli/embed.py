"""`reidctl embed`: images to embeddings, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import Device, Extension, Force, InputFacts, Json, Precision, complete_model
from reidctl.cli.output import output
from reidctl.errors import ConfigError


def embed(
    images: Annotated[
        Path, typer.Argument(help="A folder of images, or a text file with one path a line.", show_default=False)
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Checkpoint, .onnx, .xml or run folder.", autocompletion=complete_model)
    ],
    path: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("features.parquet"),
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, from 1.", show_default=False)
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1)] = 64,
    device: Device = "auto",
    precision: Precision = None,
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Embed images into a Parquet file for `reidctl search` and other programs."""
    from reidctl.cli.targets import open_model
    from reidctl.data.listing import listed_images
    from reidctl.files import refuse_existing
    from reidctl.retrieval import embed as run
    from reidctl.retrieval.features import save_features

    refuse_existing(path, force)
    samples = listed_images(images)
    if shard is not None:
        part, parts = _shard(shard)
        samples = samples[part - 1 :: parts]
    opened = open_model(model, device, precision, input_, extension)
    with output.progress("embed", len(samples)) as advance:
        found = run(opened.embedder, samples, batch_size=batch_size, progress=advance)
    save_features(found, opened.embedder.info, path)
    if json:
        output.json("reidctl.embed/1", {"file": str(path), "images": len(samples), "dim": found.vectors.shape[1]})
    else:
        output.text(str(path))
        output.note(f"{len(samples)} embeddings of {found.vectors.shape[1]} numbers")


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"--shard {text}: not I/N with I from 1 to N", "write --shard 1/4")
    return int(part), int(parts)
