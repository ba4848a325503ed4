"""`reidctl visrank`: what a model finds for each query, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Data, Device, Extension, Force, InputFacts, Json, Model, OnBadImage, Root
from reidctl.cli.output import output
from reidctl.cli.reranking import K1, K2, Lambda, Reranking, chosen_reranking, evaluation_device
from reidctl.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.types import ReidData


def visrank(
    model: Model,
    data: Data = [],
    root: Root = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("visrank"),
    topk: Annotated[int, typer.Option("--topk", "-k", min=1, help="Gallery images a query.")] = 10,
    worst: Annotated[
        int | None, typer.Option("--worst", min=1, help="Only the N queries of the lowest AP.", show_default=False)
    ] = None,
    query: Annotated[
        list[str], typer.Option("--query", metavar="ID", help="Only this query image (its name); repeatable.")
    ] = [],
    html: Annotated[bool, typer.Option("--html", help="An index.html to browse them, worst first.")] = False,
    rerank: Reranking = False,
    k1: K1 = None,
    k2: K2 = None,
    lambda_value: Lambda = None,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw the nearest gallery images of each query: green the same person, red another."""
    from reidctl.cli.targets import embed_target, open_model, open_targets
    from reidctl.files import refuse_existing, replacing
    from reidctl.retrieval import rank_gallery
    from reidctl.retrieval.gallery import draw_rank_galleries, write_html

    refuse_existing(folder, force)
    if worst and query:
        raise ConfigError("--worst and --query both choose the queries", "leave one of the two out")
    opened = open_model(model, device, None, input_, extension)
    settings = opened.settings
    spec = chosen_reranking(settings.rerank, rerank, k1, k2, lambda_value)
    place = evaluation_device(device)
    drawn: dict[str, int] = {}
    with replacing(folder) as temporary:
        for target in open_targets(data, root, opened.config, on_bad_image):
            queries, gallery = embed_target(opened, target)
            ranking = rank_gallery(queries, gallery, topk, metric=settings.metric, rerank=spec, device=place)
            chosen = ranking.worst(worst) if worst else ranking.take(_rows(target, query)) if query else ranking
            pictures = draw_rank_galleries(chosen, target.query, target.gallery, temporary / target.name, topk)
            if html:
                write_html(chosen, target.query, pictures, temporary / target.name / "index.html", title=target.name)
            drawn[target.name] = len(pictures)
    _show(folder, drawn, html, json)


def _rows(target: ReidData, names: list[str]) -> list[int]:
    positions = {sample.name: row for row, sample in enumerate(target.query)}
    for name in names:
        if name not in positions:
            raise ConfigError(
                f"--query: {target.name} has no query image '{name}'",
                suggestion(name, positions, f"it has {len(positions)}, the first '{next(iter(positions))}'"),
            )
    return [positions[name] for name in names]


def _show(folder: Path, drawn: dict[str, int], html: bool, json: bool) -> None:
    if json:
        output.json("reidctl.visrank/1", {"folder": str(folder), "galleries": drawn})
        return
    for name, count in drawn.items():
        page = folder / name / "index.html" if html else folder / name
        output.text(f"{page} ({count} galleries)")
