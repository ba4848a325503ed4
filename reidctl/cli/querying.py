"""What is looked for, and what was found: for `reidctl search` and `reidctl indexes search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.cli.output import output
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from reidctl.retrieval.features import Features, Made
    from reidctl.types import Embeddings, Sample


@dataclass(frozen=True)
class Known:
    """What is searched: what made it, where somebody said, and where it is."""

    made: Made | None
    place: str


def opened_queries(
    text: str, gallery: Known, model: str | None, device: str, input_: str | None, extension: Path | None
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

    number = _number_of_row(queries, row)
    if number is None:
        raise InputError(f"{path} has no row '{row}'", f"give a name, or a number from 0 to {queries.rows - 1}")
    for labels, vectors in queries.blocks():
        if number < len(labels.names):
            return Embeddings(np.array(vectors[number : number + 1]), (labels.sample(number),))
        number -= len(labels.names)
    raise AssertionError("a row lies in one of the blocks")


def _number_of_row(queries: Features, row: str) -> int | None:
    """The number of the first row of that name, or the number that `row` is, where no row is called so."""
    start = 0
    for names, *_ in queries.labels():
        if row in names:
            return start + names.index(row)
        start += len(names)
    return int(row) if row.isdecimal() and int(row) < start else None


def _require_comparable(made: Made | None, gallery: Known, what: str) -> None:
    if made and gallery.made and (different := gallery.made.differences(made)):
        raise InputError(
            f"{what} is another model than that of {gallery.place}: {', '.join(different)}",
            "distances between the embeddings of two models mean nothing; use the one that made the features",
        )


def tell(queries: Sequence[Sample], found: Sequence[Sequence[tuple[Sample, float]]], json: bool) -> None:
    """Print what was found for each query, nearest first."""
    from reidctl.types import camera_number

    results: list[dict[str, Any]] = [
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
    shown = [{**each, "camera": None if each["camera"] is None else camera_number(each["camera"])} for each in results]
    if rows := [[each[column] for column in columns] for each in shown]:
        output.table(columns, rows)
    for query, near in zip(queries, found, strict=True):
        if not near:
            output.note(f"{query.name}: nothing that close")
