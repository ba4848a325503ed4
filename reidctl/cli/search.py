"""`reidctl search`: the people of feature files most like those of some images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Device, Extension, Force, InputFacts, Json, Nearest, Query, Threshold, complete_model
from reidctl.cli.output import output
from reidctl.cli.querying import Known, opened_queries, tell

if TYPE_CHECKING:
    from reidctl.retrieval.features import Features
    from reidctl.retrieval.nearest import Neighbours
    from reidctl.types import Embeddings


def search(
    query: Query,
    features: Annotated[
        list[Path],
        typer.Argument(help="What `reidctl embed` wrote: one file, several, or a folder of them.", show_default=False),
    ],
    k: Nearest = 10,
    threshold: Threshold = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Model to embed the query with. Default: the one that made the features.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    faiss: Annotated[
        bool, typer.Option("--faiss", help="Search approximately, in an index that is kept beside the file.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            help="Draw what was found: a .png for one query, a folder for several.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Open the pictures in the viewer of this desktop.")] = False,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Find the nearest embeddings by cosine distance (0 the same, 1 unrelated, 2 opposite)."""
    from reidctl.cli.drawing import draw, require_drawable, show_pictures
    from reidctl.retrieval.features import Features
    from reidctl.retrieval.searching import closer_than

    if faiss:
        from reidctl.retrieval.faiss_index import require_faiss

        require_faiss()
    gallery = Features.open(features)
    known = Known(gallery.made, str(gallery.files[0].path))
    queries = opened_queries(query, known, model, device, input_, extension)
    require_drawable(picture, show, [query.name for query in queries.samples], force)
    neighbours = _neighbours(queries, gallery, k, faiss)
    near = closer_than(neighbours, float("inf") if threshold is None else threshold)
    samples = gallery.samples([int(row) for found in near for row in found.indices])
    found = [
        [(samples[int(row)], float(distance)) for row, distance in zip(each.indices, each.distances, strict=True)]
        for each in near
    ]
    tell(queries.samples, found, json)
    if picture or show:
        pictures = draw(queries.samples, found, picture)
        if show:
            show_pictures(pictures)


def _neighbours(queries: Embeddings, gallery: Features, k: int, faiss: bool) -> Neighbours:
    from reidctl.retrieval.searching import search_chunks, search_files

    if not faiss:
        with output.progress("search", gallery.rows) as advance:
            return search_chunks(queries.vectors, gallery.vectors(), k, advance)
    from reidctl.retrieval.faiss_index import search_faiss

    with output.status("search"):
        return search_files(queries.vectors, gallery.files, k, search_faiss)
