"""`reidctl visrank`: what a model finds for each query, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Data, Device, Force, Json, Model, OnBadImage, Root
from reidctl.cli.output import output
from reidctl.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.report import TargetReport
    from reidctl.retrieval.ranking import Ranking
    from reidctl.types import ReidData

PAGE = "index.html"


def visrank(
    model: Model,
    data: Data = [],
    root: Root = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("visrank"),
    topk: Annotated[int, typer.Option("--topk", "-k", min=1, help="Gallery images a query.")] = 10,
    worst: Annotated[
        int | None, typer.Option("--worst", min=1, help="Only the N queries of the lowest AP.", show_default=False)
    ] = None,
    best: Annotated[
        int | None, typer.Option("--best", min=1, help="Only the N queries of the highest AP.", show_default=False)
    ] = None,
    random: Annotated[
        int | None, typer.Option("--random", min=1, help="Only N queries drawn with --seed.", show_default=False)
    ] = None,
    per_camera: Annotated[
        int | None,
        typer.Option("--per-camera", min=1, help="Only the N of the lowest AP of every camera.", show_default=False),
    ] = None,
    query: Annotated[
        list[str], typer.Option("--query", metavar="ID", help="Only this query image (its name); repeatable.")
    ] = [],
    seed: Annotated[int, typer.Option("--seed", min=0, help="What --random draws.")] = 0,
    html: Annotated[bool, typer.Option("--html", help="A report to browse them, with all figures: one file.")] = False,
    umap: Annotated[bool, typer.Option("--umap", help="With --html: a map of the embeddings by UMAP, too.")] = False,
    rerank: Annotated[bool, typer.Option("--rerank", help="k-reciprocal re-ranking.")] = False,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw the nearest gallery images of each query: green the same person, red another."""
    from reidctl.cli.targets import embed_target, open_model, open_targets
    from reidctl.config import Rerank
    from reidctl.files import refuse_existing, replacing
    from reidctl.report import analyse_in_full, examine, write_page
    from reidctl.report.embedding_map import require_umap
    from reidctl.retrieval import rank_gallery
    from reidctl.retrieval.gallery import draw_rank_galleries

    counts = {"--worst": worst, "--best": best, "--random": random, "--per-camera": per_camera}
    choice = _only_choice({**counts, "--query": len(query) or None})
    refuse_existing(folder, force)
    if umap:
        require_umap()
    opened = open_model(model, device)
    metric, reranking = opened.settings.metric, Rerank() if rerank else opened.settings.rerank
    drawn: dict[str, int] = {}
    reports: list[TargetReport] = []
    with replacing(folder) as temporary:
        for target in open_targets(data, root, opened.config, on_bad_image):
            queries, gallery = embed_target(opened, target)
            ranking = rank_gallery(queries, gallery, topk, metric=metric, rerank=reranking)
            rows = _rows(target, query) if query else _chosen(ranking, target, choice, counts, seed)
            pictures = draw_rank_galleries(
                ranking.take(rows), target.query, target.gallery, temporary / target.name, topk
            )
            if html:
                found = analyse_in_full(
                    queries,
                    gallery,
                    metric=metric,
                    ranks=opened.settings.ranks,
                    ap_rule=opened.settings.ap,
                    rerank=reranking,
                )
                reports.append(examine(target.name, queries, gallery, found, ranking=ranking, shown=rows, umap=umap))
            drawn[target.name] = len(pictures)
        if html:
            write_page(temporary / PAGE, model, reports)
    _show(folder, drawn, html, json)


def _only_choice(given: dict[str, int | None]) -> str | None:
    """The one option that chooses queries; ConfigError where there are two."""
    named = [option for option, value in given.items() if value]
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} both choose the queries", "leave one of them out")
    return named[0] if named else None


def _chosen(
    ranking: Ranking, target: ReidData, choice: str | None, counts: dict[str, int | None], seed: int
) -> list[int]:
    count = (counts.get(choice) if choice else None) or 0
    match choice:
        case "--worst":
            rows = ranking.worst_rows(count)
        case "--best":
            rows = ranking.best_rows(count)
        case "--random":
            rows = ranking.random_rows(count, seed)
        case "--per-camera":
            rows = ranking.worst_rows_of_each([sample.camera for sample in target.query], count)
        case _:
            return list(range(len(ranking.queries)))
    return [int(row) for row in rows]


def _rows(target: ReidData, names: list[str]) -> list[int]:
    positions = {sample.name: row for row, sample in enumerate(target.query)}
    for name in names:
        if name not in positions:
            raise ConfigError(
                f"--query: {target.name} has no query image '{name}'",
                suggestion(name, positions, f"it has {len(positions)}, the first '{next(iter(positions))}'"),
            )
    return [positions[name] for name in dict.fromkeys(names)]


def _show(folder: Path, drawn: dict[str, int], html: bool, json: bool) -> None:
    page = folder / PAGE if html else None
    if json:
        output.json("reidctl.visrank/1", {"folder": str(folder), "galleries": drawn, "page": page and str(page)})
        return
    for name, count in drawn.items():
        output.text(f"{folder / name} ({count} galleries)")
    if page:
        output.text(str(page))
