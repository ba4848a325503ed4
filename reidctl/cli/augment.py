"""`reidctl datasets augment`: what training makes of its images, to look at before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import Files, Force, Json, Preset, Root, Sets, root_layer
from reidctl.cli.output import output


def augment(
    preset: Preset = None,
    config: Files = [],
    set_: Sets = [],
    root: Root = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="Images, one a row.")] = 6,
    epochs: Annotated[int, typer.Option("--epochs", min=1, max=20, help="Epochs, one a column.")] = 8,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Instead of the run's.", show_default=False)
    ] = None,
    sheet: Annotated[Path, typer.Option("--output", "--out", "-o", help="Picture to write.")] = Path("sheet.png"),
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw training images beside what the first epochs make of them: the very images that `reidctl train` learns from.

    Batch transforms, which mix these images with each other, come after.
    """
    from reidctl.config import load_config
    from reidctl.config.layers import Layer
    from reidctl.config.parts import check_parts
    from reidctl.data.contact_sheet import contact_sheet, sheet_rows
    from reidctl.data.images import require_picture
    from reidctl.data.loader import train_batches
    from reidctl.data.sources import load_sources
    from reidctl.files import refuse_existing, replacing

    require_picture(sheet)
    refuse_existing(sheet, force)
    seeded = [] if seed is None else [Layer("--seed", {"seed": seed})]
    loaded = load_config(preset, config, set_, [*root_layer(root), *seeded])
    check_parts(loaded)
    settings = loaded.config
    data = load_sources(settings.data)
    batches = train_batches(data, settings.data, batch_size=settings.train.batch_size, seed=settings.seed)
    rows = sheet_rows(data, batches, count, epochs)
    with output.status(f"augment {len(rows)} images {epochs} times"):
        picture = contact_sheet(rows, batches, settings.data.image)
    with replacing(sheet) as temporary:
        picture.save(temporary)
    if json:
        names = [row.sample.name for row in rows]
        output.json("reidctl.datasets-augment/1", {"sheet": str(sheet), "images": names, "epochs": epochs})
    else:
        output.text(f"{sheet} ({len(rows)} images, {epochs} epochs)")
