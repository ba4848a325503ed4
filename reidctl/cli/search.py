"""`reidctl search`: the people of a feature file most like those of some images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import Device, Extension, InputFacts, Json, complete_model
from reidctl.cli.output import output

if TYPE_CHECKING:
    from reidctl.retrieval.nearest import Neighbours
    from reidctl.types import Embeddings


def search(
    query: Annotated[
        Path, typer.Argument(help="An image, a folder of images, a list, or a feature file.", show_default=False)
    ],
    features: Annotated[
        Path, typer.Argument(help="What `reidctl embed` wrote; a folder joins its shards.", show_default=False)
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Results a query.")] = 10,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Model to embed the query with.", autocompletion=complete_model, show_default=False
        ),
    ] = None,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    json: Json = False,
) -> None:
    """Find the nearest embeddings by cosine distance (0 the same, 1 unrelated, 2 opposite)."""
    from reidctl.cli.targets import open_model
    from reidctl.data.listing import listed_images
    from reidctl.errors import ConfigError
    from reidctl.retrieval import embed as run
    from reidctl.retrieval import search as find
    from reidctl.retrieval.features import load_features

    gallery = load_features(features)
    if query.suffix == ".parquet":
        queries = load_features(query).embeddings
    elif model is None:
        raise ConfigError("which model made the features?", "give it with --model, or a feature file as the query")
    else:
        queries = run(open_model(model, device, None, input_, extension).embedder, listed_images(query))
    results = _results(queries, gallery.embeddings, find(queries.vectors, gallery.embeddings.vectors, k))
    if json:
        output.json("reidctl.search/1", {"results": results})
        return
    columns = ["query", "rank", "distance", "image"]
    output.table(columns, [[result[column] for column in columns] for result in results])


def _results(queries: Embeddings, gallery: Embeddings, found: Neighbours) -> list[dict[str, Any]]:
    """One row for each neighbour, nearest first."""
    return [
        {
            "query": sample.name,
            "rank": rank + 1,
            "name": gallery.samples[index].name,
            "image": str(gallery.samples[index].image),
            "distance": round(float(distance), 6),
        }
        for sample, indices, distances in zip(queries.samples, found.indices, found.distances, strict=True)
        for rank, (index, distance) in enumerate(zip(indices, distances, strict=True))
    ]
