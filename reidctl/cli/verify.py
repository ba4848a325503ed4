"""`reidctl verify`: are two artefacts the same network?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Data, Json, Precision, Root, complete_model
from reidctl.cli.output import output
from reidctl.errors import CheckFailed

if TYPE_CHECKING:
    from reidctl.export import Verification
    from reidctl.types import Sample

Artefact = Annotated[
    str,
    typer.Argument(help="A checkpoint, .onnx, .xml or run folder.", autocompletion=complete_model, show_default=False),
]
IMAGES = 64
"""Drawn pedestrians that are compared on where no data set is named."""


def verify(
    a: Artefact,
    b: Artefact,
    data: Data = [],
    root: Root = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N images.", show_default=False)
    ] = None,
    precision: Precision = None,
    json: Json = False,
) -> None:
    """Embed the same images with A and B, each in its own process, and compare; exit 1 out of tolerance."""
    from reidctl.export import verify as compare

    samples = _samples(data, root)[:limit]
    with output.status(f"embed {len(samples)} images twice"):
        found = compare(a, b, samples, precision=precision)
    _show(found, json)
    if not found.ok:
        raise CheckFailed(found.error or f"{b} is not the same network as {a} to the tolerance of {_pair(found)}")


def _samples(data: list[str], root: object) -> list[Sample]:
    from pathlib import Path

    from reidctl.cli.targets import open_data, open_targets

    if not data:
        return list(open_data("synthetic", Path()).query[:IMAGES])
    targets = open_targets(data, root if isinstance(root, Path) else None, None)
    return [sample for target in targets for sample in (*target.query, *target.gallery)]


def _pair(found: Verification) -> str:
    return " and ".join(found.precisions or ())


def _show(found: Verification, json: bool) -> None:
    if json:
        output.json("reidctl.verify/1", found.as_dict())
        return
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
    output.table(["figure", "found", "allowed"], rows, title=f"{found.images} images, {_pair(found)}: {allowed.reason}")
    output.text("ok: the same network" if found.ok else "not the same network")
