"""`reidctl search`: the people of feature files most like those of some images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import Device, Extension, Force, InputFacts, Json, complete_model
from reidctl.cli.output import output
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from reidctl.retrieval.features import Features, Made
    from reidctl.retrieval.nearest import Neighbours
    from reidctl.types import Embeddings, Sample


def search(
    query: Annotated[
        str,
        typer.Argument(
            help="An image, a folder, a list, a feature file, or one row of it: FILE:NAME or FILE:NUMBER.",
            show_default=False,
        ),
    ],
    features: Annotated[
        list[Path],
        typer.Argument(help="What `reidctl embed` wrote: one file, several, or a folder of them.", show_default=False),
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Results a query.")] = 10,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", "-t", min=0, max=2, help="Only what is closer than this.", show_default=False),
    ] = None,
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
    queries = _queries(query, gallery, model, device, input_, extension)
    require_drawable(picture, show, [query.name for query in queries.samples], force)
    neighbours = _neighbours(queries, gallery, k, faiss)
    near = closer_than(neighbours, float("inf") if threshold is None else threshold)
    samples = gallery.samples([int(row) for found in near for row in found.indices])
    found = [
        [(samples[int(row)], float(distance)) for row, distance in zip(each.indices, each.distances, strict=True)]
        for each in near
    ]
    _tell(queries.samples, found, json)
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


def _queries(
    text: str, gallery: Features, model: str | None, device: str, input_: str | None, extension: Path | None
) -> Embeddings:
    """The embeddings to look for; InputError where they cannot be compared with the gallery's."""
    from reidctl.retrieval.features import Features, is_feature_file

    path, row = _row(text)
    if is_feature_file(path):
        queries = Features.open([path])
        _require_comparable(queries.made, gallery, str(path))
        return _of_row(queries, row, path) if row is not None else queries.embeddings()
    from reidctl.cli.targets import made_by, open_model
    from reidctl.data.listing import listed_images
    from reidctl.retrieval import embed

    samples = listed_images(path)
    made = gallery.made
    name = model or _recorded(made)
    said = made if model is None else None
    if said:
        input_, extension = input_ or said.input, extension or (Path(said.extension) if said.extension else None)
    if said:
        _require_there(name)
    opened = open_model(name, device, said.arithmetic if said else None, input_, extension)
    _require_comparable(made_by(opened, name, input_, extension), gallery, name)
    return embed(opened.embedder, samples)


def _recorded(made: Made | None) -> str:
    if made is None:
        raise ConfigError("which model made the features?", "give it with --model, or a feature file as the query")
    return made.model


def _require_there(model: str) -> None:
    from reidctl.artefacts import locate

    try:
        locate(model)
    except InputError as error:
        hint = "the features were made by it: name it with --model where it is now"
        raise InputError(str(error), hint) from error


def _row(text: str) -> tuple[Path, str | None]:
    from reidctl.retrieval.features import is_feature_file

    file, colon, row = text.rpartition(":")
    if colon and not Path(text).exists() and is_feature_file(Path(file)):
        return Path(file), row
    return Path(text), None


def _of_row(queries: Features, row: str, path: Path) -> Embeddings:
    import numpy as np

    from reidctl.types import Embeddings

    start = 0
    for labels, vectors in queries.blocks():
        names = labels.names
        here = names.index(row) if row in names else int(row) - start if row.isdecimal() else -1
        if 0 <= here < len(names):
            return Embeddings(np.array(vectors[here : here + 1]), (labels.sample(here),))
        start += len(names)
    raise InputError(f"{path} has no row '{row}'", f"give a name, or a number from 0 to {queries.rows - 1}")


def _require_comparable(made: Made | None, gallery: Features, what: str) -> None:
    if made and gallery.made and (different := gallery.made.differences(made)):
        raise InputError(
            f"{what} is another model than that of {gallery.files[0].path}: {', '.join(different)}",
            "distances between the embeddings of two models mean nothing; use the one that made the features",
        )


def _tell(queries: Sequence[Sample], found: Sequence[Sequence[tuple[Sample, float]]], json: bool) -> None:
    results = [
        {
            "query": query.name,
            "rank": rank,
            "distance": round(distance, 6),
            "name": sample.name,
            "image": str(sample.image),
            "identity": sample.identity if sample.identity >= 0 else None,
            "camera": sample.camera if sample.identity >= 0 else None,
        }
        for query, near in zip(queries, found, strict=True)
        for rank, (sample, distance) in enumerate(near, start=1)
    ]
    if json:
        without = [query.name for query, near in zip(queries, found, strict=True) if not near]
        output.json("reidctl.search/2", {"results": results, "without": without})
        return
    known = any(result["identity"] is not None for result in results)
    columns = ["query", "rank", "distance", *(("identity", "camera") if known else ()), "image"]
    rows: list[list[Any]] = [[result[column] for column in columns] for result in results]
    if rows:
        output.table(columns, rows)
    for query, near in zip(queries, found, strict=True):
        if not near:
            output.note(f"{query.name}: nothing that close")
