"""`reidctl embed`: images to embeddings, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import (
    Device,
    Extension,
    Force,
    Images,
    InputFacts,
    Json,
    Labels,
    Precision,
    Root,
    StreamBatch,
    UnreadableImages,
    complete_model,
)
from reidctl.cli.output import output
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from reidctl.retrieval.bulk import Embedded


def embed(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Checkpoint, .onnx, .xml or run folder.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
    images: Images = None,
    path: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .parquet, or .npy with a .csv and a .json beside it.")
    ] = Path("features.parquet"),
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Only part I of N of the list, from 1.", show_default=False),
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the file what is not in it; the model must be the same.")
    ] = False,
    data: Labels = None,
    root: Root = None,
    on_bad_image: UnreadableImages = "error",
    batch_size: StreamBatch = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Decoding threads, 0 for one a core.")] = 0,
    device: Device = "auto",
    precision: Precision = None,
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Embed images into a file for `reidctl search` and other programs.

    A call that was stopped, however it was, goes on where it had been when it is given again.
    """
    from reidctl.cli.targets import listed_samples, made_by, open_model
    from reidctl.data.images import ImageError
    from reidctl.retrieval.bulk import Plan, embed_to_file
    from reidctl.retrieval.features import require_format

    require_format(path)
    samples = listed_samples(images, data, root)
    if shard is not None:
        part, parts = _shard(shard)
        samples = samples[len(samples) * (part - 1) // parts : len(samples) * part // parts]
    opened = open_model(model, device, precision, input_, extension)
    size = opened.embedder.stream_batch(batch_size)
    made = made_by(opened, model, input_, extension)
    plan = Plan(path, made, size, workers, on_bad_image == "skip", append, force)
    try:
        with output.progress("embed", len(samples)) as advance:
            found = embed_to_file(opened.embedder, samples, plan, advance)
    except ImageError as error:
        hint = f"{error.hint}; --on-bad-image skip leaves such images out, and what was finished is kept"
        raise InputError(str(error), hint) from error
    _tell(found, path, images or data, made.info.embedding_dim, json)


def _tell(found: Embedded, path: Path, source: object, dim: int, json: bool) -> None:
    from reidctl.data.problems import listed

    if count := len(found.skipped):
        output.warning(f"{source}: {count:,} bad image{'s' * (count > 1)} skipped: {listed(found.skipped)}")
    if json:
        output.json(
            "reidctl.embed/2",
            {
                "file": str(path),
                "rows": found.rows,
                "dim": dim,
                "embedded": found.rows - found.before - found.resumed,
                "resumed": found.resumed,
                "before": found.before,
                "already_there": found.already_there,
                "skipped": [{"path": bad.where, "kind": bad.kind, "reason": bad.what} for bad in found.skipped],
            },
        )
        return
    output.text(str(path))
    parts = [f"{found.rows:,} embeddings of {dim} numbers"]
    parts += [f"{found.resumed:,} of an earlier call"] if found.resumed else []
    parts += [f"{found.before:,} from before"] if found.before else []
    parts += [f"{found.already_there:,} images were already there"] if found.already_there else []
    output.note(", ".join(parts))


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"--shard {text}: not I/N with I from 1 to N", "write --shard 1/4")
    return int(part), int(parts)
