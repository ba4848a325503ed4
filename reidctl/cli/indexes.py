"""`reidctl indexes list|info|add|search|delete`: embeddings at a place that grows, forgets and filters."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl import registry as registries
from reidctl.cli.options import Device, Extension, InputFacts, Json, Nearest, Query, Threshold, complete_model, names_of
from reidctl.cli.output import output
from reidctl.cli.parts import listing
from reidctl.cli.querying import Known, opened_queries, tell
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from reidctl.index import Index
    from reidctl.retrieval.features import Block

app = listing(registries.indexes)
app.info.help = "Indexes of embeddings, to which one adds, which one searches by camera and time, and which forget."

Place = Annotated[
    str,
    typer.Argument(
        metavar="INDEX",
        help="NAME=LOCATION, e.g. lancedb=people, or {name: …, location: …, parameters}.",
        autocompletion=names_of(registries.indexes),
        show_default=False,
    ),
]


@app.command()
def add(
    index: Place,
    features: Annotated[
        list[Path], typer.Argument(help="What `reidctl embed` wrote: files, or folders of them.", show_default=False)
    ],
    times: Annotated[
        Path | None,
        typer.Option(
            "--times",
            help="Table (.csv) with the columns name and time: when each image was taken, in seconds since 1970 or as "
            "2026-11-26T08:30:00, UTC unless a zone is given.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add embeddings under the names of their images; those of a name that is there are replaced.

    The index is made where there is none. What another model made is refused.
    """
    import numpy as np

    from reidctl.retrieval.features import Features
    from reidctl.types import Embeddings

    given = Features.open(features)
    seen = _times(times) if times else {}
    made = given.made.to_strings() if given.made else {}
    with _opened(index, given.dim, made) as there:
        _require_same(there, given, index)
        before = len(there)
        with output.progress("add", given.rows) as advance:
            for block in given.blocks():
                samples = _samples(block)
                known = [seen.get(sample.name, np.nan) for sample in samples]
                there.add(Embeddings(block.vectors, samples), np.array(known, np.float64))
                advance(len(samples))
        rows = len(there)
    if json:
        output.json("reidctl.index-add/1", {"index": index, "given": given.rows, "added": rows - before, "rows": rows})
        return
    output.text(index)
    replaced = given.rows - (rows - before)
    output.note(f"{rows - before:,} added, {replaced:,} replaced, {rows:,} embeddings of {given.dim} numbers")


@app.command()
def search(
    index: Place,
    query: Query,
    k: Nearest = 10,
    threshold: Threshold = None,
    camera: Annotated[
        list[int],
        typer.Option("--camera", min=1, help="Only of this camera, as tables number it; repeatable."),
    ] = [],
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Seen then or later.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Seen before then.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Model to embed the query with. Default: the one that made the embeddings.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    json: Json = False,
) -> None:
    """Find the nearest by cosine distance (0 the same, 1 unrelated, 2 opposite), of some cameras, in a span of time."""
    from reidctl.retrieval.features import Made

    first = None if since is None else moment(since, "--since")
    last = None if until is None else moment(until, "--until")
    with _opened(index) as there:
        known = Known(Made.from_strings(there.made), index)
        queries = opened_queries(query, known, model, device, input_, extension)
        cameras = [number - 1 for number in camera] or None
        found = there.search(queries.vectors, k, cameras=cameras, since=first, until=last)
    near = [[each for each in one if threshold is None or each.distance < threshold] for one in found]
    tell(queries.samples, [[(each.sample, each.distance) for each in one] for one in near], json)


@app.command()
def delete(
    index: Place,
    names: Annotated[list[str], typer.Argument(help="Names of images, as `search` shows them.", show_default=False)],
    json: Json = False,
) -> None:
    """Take embeddings away by the names of their images."""
    with _opened(index) as there:
        deleted = there.delete(names)
        rows = len(there)
    if json:
        output.json("reidctl.index-delete/1", {"index": index, "deleted": deleted, "rows": rows})
        return
    output.text(f"{deleted:,} deleted, {rows:,} left")


@contextmanager
def _opened(text: str, dim: int | None = None, made: dict[str, str] | None = None) -> Iterator[Index]:
    """The index that `text` names, closed after the block; made where `dim` is given and there is none."""
    from reidctl.cli.targets import parsed
    from reidctl.types import Spec

    spec, folder = parsed(text, "INDEX")
    parameters = spec.parameters
    location = str(folder) if folder else parameters.pop("location", None)
    if not isinstance(location, str):
        raise ConfigError(f"{text}: where is the index?", f"write {spec.name}=LOCATION")
    index: Index = registries.indexes.build(
        Spec(name=spec.name, **parameters), location=location, dim=dim, made=made or {}
    )
    try:
        yield index
    finally:
        index.close()


def _require_same(there: Index, given: Any, where: str) -> None:
    from reidctl.retrieval.features import Made

    one = Made.from_strings(there.made)
    different = one.differences(given.made, strict=True) if one and given.made else []
    if different:
        raise InputError(
            f"{given.files[0].path} was made by another model than what {where} holds: {', '.join(different)}",
            "embed the images with the model of the index, or name another place",
        )


def _samples(block: Block) -> tuple[Any, ...]:
    return tuple(block.labels.sample(row) for row in range(len(block.labels.names)))


def _times(path: Path) -> dict[str, float]:
    """Seconds since 1970 by name; InputError for a table without these columns, or a time that is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if not {"name", "time"} <= set(reader.fieldnames or ()):
                columns = ", ".join(reader.fieldnames or ()) or "none"
                raise InputError(f"{path}: its columns are {columns}", "name and time are needed")
            return {row["name"]: moment(row["time"], f"{path}:{reader.line_num}") for row in reader}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", "--times takes a table with the columns name, time"
        ) from error


def moment(text: str, where: str) -> float:
    """Seconds since 1970 of `1764145800` or `2026-11-26T08:30:00+01:00`; UTC where no zone is given."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        said = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{where}: '{text}' is no time", "write seconds since 1970, or 2026-11-26T08:30:00+01:00"
        ) from error
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
