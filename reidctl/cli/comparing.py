"""The images on which artefacts are compared, and how a comparison is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.output import output
from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.export import Verification
    from reidctl.types import ReidData, Sample

Images = Annotated[
    Path | None,
    typer.Option("--images", "-i", help="Compare on a folder of images, an image or a list.", show_default=False),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Write the file without comparing its embeddings with the source's.")
]


def images_named(
    data: list[str], root: Path | None, images: Path | None, limit: int | None = None
) -> tuple[tuple[Sample, ...], list[ReidData]]:
    """The images without labels, and the data sets with them, that the options name; both empty where they name none.

    With a limit a data set is no test any more: its first images, queries before gallery, are compared without labels.
    """
    from reidctl.cli.targets import open_targets
    from reidctl.data.listing import listed_images

    if images and data:
        raise ConfigError("--images and --data both choose the images", "leave one of the two out")
    if images:
        return listed_images(images)[:limit], []
    targets = open_targets(data, root, None) if data else []
    if limit is None:
        return (), targets
    return tuple(sample for target in targets for sample in (*target.query, *target.gallery))[:limit], []


def show_comparison(found: Verification) -> None:
    """Print what two artefacts differ by, and what they may."""
    apart, allowed = found.difference, found.tolerance
    if apart is None or allowed is None:
        return
    rows: list[list[object]] = [
        ["cosine, least", f"{apart.cosine_min:.7f}", f"≥ {allowed.cosine_min}"],
        ["cosine, 5th percentile", f"{apart.cosine_p5:.7f}", ""],
        ["cosine, mean", f"{apart.cosine_mean:.7f}", f"≥ {allowed.cosine_mean}"],
        ["relative error, largest", f"{apart.relative_error:.2e}", f"≤ {allowed.relative_error:g}"],
        ["difference, largest", f"{apart.max_abs_diff:.2e}", ""],
    ]
    if apart.neighbour_agreement is not None:
        rows.append(["same nearest neighbour", f"{apart.neighbour_agreement:.1%}", ""])
    for scores in found.scores:
        for name, (a, b) in (("rank-1", scores.rank1), ("mAP", scores.mAP)):
            limit = f"± {100 * scores.allowed(allowed):.2f}"
            rows.append([f"{scores.target}, {name}", f"{a:.2%} and {b:.2%}: {100 * (b - a):+.2f}", limit])
    compared = "directions of " if found.direction else ""
    pair = " and ".join(found.precisions or ())
    output.table(
        ["figure", "found", "allowed"], rows, title=f"{compared}{found.images} images, {pair}: {allowed.reason}"
    )
