"""`reidctl eval`: rank-k and mAP of a checkpoint, ONNX file or IR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reidctl.cli.options import Data, Device, Json, Model, OnBadImage, Precision, Root
from reidctl.cli.output import output
from reidctl.cli.reranking import K1, K2, Lambda, Reranking, chosen_reranking, evaluation_device
from reidctl.errors import CheckFailed, ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.types import Metrics


def evaluate(
    model: Model,
    data: Data = [],
    root: Root = None,
    rerank: Reranking = False,
    k1: K1 = None,
    k2: K2 = None,
    lambda_value: Lambda = None,
    ap: Annotated[
        Literal["market", "trapezoid"] | None,
        typer.Option(
            "--ap", help="Rule of average precision: Market-1501's, or the Open Model Zoo's.", show_default=False
        ),
    ] = None,
    metric: Annotated[
        Literal["cosine", "euclidean"] | None,
        typer.Option("--metric", help="Distance between embeddings.", show_default=False),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Average the embeddings of an image and its mirror.")] = False,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, show_default=False)] = None,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    precision: Precision = None,
    fail_under: Annotated[
        list[str],
        typer.Option("--fail-under", metavar="METRIC=VALUE", help="Exit 1 below it, e.g. mAP=0.7; repeatable."),
    ] = [],
    json: Json = False,
) -> None:
    """Test a model: rank-k, mAP and mINP under the protocol of Market-1501."""
    from reidctl.cli.targets import embed_target, open_model, open_targets
    from reidctl.retrieval import evaluate as score

    bounds = [_bound(text) for text in fail_under]
    opened = open_model(model, device, precision)
    settings = opened.settings
    spec = chosen_reranking(settings.rerank, rerank, k1, k2, lambda_value)
    found: dict[str, Metrics] = {}
    for target in open_targets(data, root, opened.config, on_bad_image):
        query, gallery = embed_target(opened, target, flip, batch_size)
        found[target.name] = score(
            query,
            gallery,
            metric=metric or settings.metric,
            ranks=settings.ranks,
            ap_rule={"market": "step", "trapezoid": "trapezoid", None: settings.ap}[ap],
            rerank=spec,
            device=evaluation_device(device),
        )
    _show(model, found, json)
    _require(found, bounds)


def _show(model: str, found: dict[str, Metrics], json: bool) -> None:
    if json:
        targets = {name: metrics.as_dict() for name, metrics in found.items()}
        output.json("reidctl.eval/1", {"model": model, "targets": targets})
        return
    ranks = next(iter(found.values())).cmc
    columns = ["data", *(f"rank-{k}" for k in ranks), "mAP", "mINP", "queries", "gallery", "distance", "AP rule"]
    rows: list[list[Any]] = []
    for name, metrics in found.items():
        figures = [f"{value:.2%}" for value in (*metrics.cmc.values(), metrics.mAP, metrics.mINP)]
        distance = f"{metrics.metric}, re-ranked" if metrics.reranked else metrics.metric
        rows.append([name, *figures, metrics.valid_queries, metrics.gallery, distance, metrics.ap_rule])
    output.table(columns, rows)
    for name, metrics in found.items():
        if metrics.invalid_queries:
            output.note(f"{name}: {metrics.invalid_queries} queries have no match in another camera and are left out")


def _bound(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise ConfigError(f"--fail-under {text}: not METRIC=VALUE", "write --fail-under mAP=0.7") from error


def _require(found: dict[str, Metrics], bounds: list[tuple[str, float]]) -> None:
    for name, bound in bounds:
        for target, metrics in found.items():
            values = metrics.as_dict()
            if not isinstance(values.get(name), float):
                known = [key for key, value in values.items() if isinstance(value, float)]
                raise ConfigError(
                    f"--fail-under: no metric '{name}'", suggestion(name, known, f"metrics: {', '.join(known)}")
                )
            if values[name] < bound:
                raise CheckFailed(f"{target}: {name} {values[name]:.4f} is under {bound:g}")
