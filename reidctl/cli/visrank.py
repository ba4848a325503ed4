"""`reidctl visrank`: what a model finds for each query, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.choosing import Best, Choice, PerCamera, Query, Random, Worst
from reidctl.cli.options import Data, Device, Extension, Force, InputFacts, Json, Model, OnBadImage, Root, Umap
from reidctl.cli.output import output
from reidctl.cli.reranking import K1, K2, Lambda, Reranking, chosen_reranking, evaluation_device
from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.report import TargetReport

PAGE = "index.html"


def visrank(
    model: Model,
    data: Data = [],
    root: Root = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("visrank"),
    topk: Annotated[int, typer.Option("--topk", "-k", min=1, help="Gallery images a query.")] = 10,
    worst: Worst = None,
    best: Best = None,
    random: Random = None,
    per_camera: PerCamera = None,
    query: Query = [],
    seed: Annotated[int, typer.Option("--seed", min=0, help="What --random draws.")] = 0,
    html: Annotated[bool, typer.Option("--html", help="A report to browse them, with all figures: one file.")] = False,
    umap: Umap = False,
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
    from reidctl.files import replacing
    from reidctl.report import analyse_in_full, examine, require_report, write_page
    from reidctl.retrieval import rank_gallery
    from reidctl.retrieval.gallery import draw_rank_galleries

    choice = Choice(worst, best, random, per_camera, tuple(query), seed)
    if umap and not html:
        raise ConfigError("--umap is a map in a report, and there is none", "add --html")
    require_report(folder, force=force, umap=umap)
    opened = open_model(model, device, None, input_, extension)
    settings = opened.settings
    scoring: dict[str, Any] = {"metric": settings.metric, "ap_rule": settings.ap, "device": evaluation_device(device)}
    scoring["rerank"] = chosen_reranking(settings.rerank, rerank, k1, k2, lambda_value)
    drawn: dict[str, int] = {}
    told: list[TargetReport] = []
    with replacing(folder) as temporary:
        for target in open_targets(data, root, opened.config, on_bad_image):
            queries, gallery = embed_target(opened, target)
            ranking = rank_gallery(queries, gallery, topk, **scoring)
            rows = choice.rows(ranking, target)
            pictures = temporary / target.name
            drawn[target.name] = len(
                draw_rank_galleries(ranking.take(rows), target.query, target.gallery, pictures, topk)
            )
            if html:
                found = analyse_in_full(queries, gallery, ranks=settings.ranks, protocol=settings.protocol, **scoring)
                told.append(examine(target.name, queries, gallery, found, ranking=ranking, shown=rows, umap=umap))
        if html:
            write_page(temporary / PAGE, model, told)
    _show(folder, drawn, html, json)


def _show(folder: Path, drawn: dict[str, int], html: bool, json: bool) -> None:
    page = folder / PAGE if html else None
    if json:
        output.json("reidctl.visrank/1", {"folder": str(folder), "galleries": drawn, "page": page and str(page)})
        return
    for name, count in drawn.items():
        output.text(f"{folder / name} ({count} galleries)")
    if page:
        output.text(str(page))
