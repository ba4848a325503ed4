"""`reidctl eval`: rank-k, mAP and thresholds of a checkpoint, ONNX file or IR."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reidctl.cli.findings import SCHEMA, document, metrics_of, show
from reidctl.cli.options import Data, Device, Force, Json, Model, OnBadImage, Precision, Root, Umap
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.config.schema import EvalConfig
    from reidctl.report import TargetReport
    from reidctl.retrieval.analysis import Analysis
    from reidctl.types import Embeddings, Metrics

RESAMPLES = 1000

ReportFolder = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Make a folder of all figures as JSON, CSV, Markdown and a page with pictures, with intervals, "
        "thresholds and cameras.",
        show_default=False,
    ),
]


def evaluate(
    model: Model,
    data: Data = [],
    root: Root = None,
    rerank: Annotated[bool, typer.Option("--rerank", help="k-reciprocal re-ranking.")] = False,
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
    protocol: Annotated[
        Literal["market1501", "cuhk03", "single-shot"] | None,
        typer.Option(
            "--protocol",
            help="Rank the whole gallery, or ten random ones of one image an identity (cuhk03: for rank-k only).",
            show_default=False,
        ),
    ] = None,
    ranks: Annotated[
        str | None, typer.Option("--ranks", metavar="K,K,…", help="Ranks to tell, e.g. 1,5,10.", show_default=False)
    ] = None,
    fpr: Annotated[
        list[float],
        typer.Option(
            "--fpr",
            metavar="RATE",
            help="Find the distance that means the same person, where this share of the pairs of different people is "
            "taken for one, e.g. 0.001; repeatable.",
        ),
    ] = [],
    by_camera: Annotated[bool, typer.Option("--by-camera", help="Also by camera, and by pairs of cameras.")] = False,
    bootstrap: Annotated[
        int | None,
        typer.Option(
            "--bootstrap",
            metavar="N",
            min=100,
            help=f"95 % intervals from N draws of other people; {RESAMPLES} with --fpr.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of random galleries and draws.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Average the embeddings of an image and its mirror.")] = False,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, show_default=False)] = None,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    precision: Precision = None,
    fail_under: Annotated[
        list[str],
        typer.Option("--fail-under", metavar="METRIC=VALUE", help="Exit 1 below it, e.g. mAP=0.7; repeatable."),
    ] = [],
    report: ReportFolder = None,
    umap: Umap = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Test a model: rank-k, mAP and mINP, and which distance means the same person."""
    from reidctl.cli.targets import embed_target, open_model, open_targets
    from reidctl.config import Rerank
    from reidctl.report import require_report, write_report
    from reidctl.retrieval.thresholds import require_shares

    bounds = [_bound(text) for text in fail_under]
    require_shares(fpr)
    if report:
        require_report(report, force=force, umap=umap)
    asked: dict[str, Any] = {"ranks": _ranks(ranks), "metric": metric, "protocol": protocol}
    asked["rerank"] = Rerank() if rerank else None
    asked["ap"] = {"market": "step", "trapezoid": "trapezoid", None: None}[ap]
    opened = open_model(model, device, precision)
    settings = opened.settings.model_copy(update={key: value for key, value in asked.items() if value is not None})
    details = Details(tuple(fpr), bootstrap or (RESAMPLES if fpr else 0), by_camera, seed)
    found: dict[str, Metrics | Analysis] = {}
    told: list[TargetReport] = []
    for target in open_targets(data, root, opened.config, on_bad_image):
        query, gallery = embed_target(opened, target, flip, batch_size)
        if report:
            told.append(_told(target.name, query, gallery, settings, details, umap))
            found[target.name] = told[-1].analysis
        else:
            found[target.name] = _score(query, gallery, settings, details)
    show(model, found, json)
    if report:
        write_report(report, model, told, {"schema": SCHEMA, **document(model, found)}, force=force)
        output.note(f"report: {report}")
    _require({name: metrics_of(each) for name, each in found.items()}, bounds)


@dataclass(frozen=True)
class Details:
    """What is asked for beside the figures of `Metrics`."""

    false_match_rates: tuple[float, ...]
    bootstrap: int
    by_camera: bool
    seed: int


def _scoring(settings: EvalConfig, seed: int) -> dict[str, Any]:
    return {
        "metric": settings.metric,
        "ranks": settings.ranks,
        "ap_rule": settings.ap,
        "rerank": settings.rerank,
        "protocol": settings.protocol,
        "seed": seed,
    }


def _score(query: Embeddings, gallery: Embeddings, settings: EvalConfig, details: Details) -> Metrics | Analysis:
    from reidctl.retrieval import analyse, evaluate

    scoring = _scoring(settings, details.seed)
    if details == Details((), 0, False, details.seed):
        return evaluate(query, gallery, **scoring)
    return analyse(query, gallery, **{**scoring, **asdict(details)})


def _told(
    name: str, query: Embeddings, gallery: Embeddings, settings: EvalConfig, details: Details, umap: bool
) -> TargetReport:
    from reidctl.report import analyse_in_full, examine

    analysis = analyse_in_full(
        query,
        gallery,
        **_scoring(settings, details.seed),
        false_match_rates=details.false_match_rates or None,
        bootstrap=details.bootstrap or RESAMPLES,
    )
    return examine(name, query, gallery, analysis, rerank=settings.rerank, umap=umap)


def _ranks(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        ranks = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--ranks {text}: not whole numbers between commas", "write --ranks 1,5,10") from error
    if min(ranks) < 1:
        raise ConfigError(f"--ranks {text}: ranks start at 1", "write --ranks 1,5,10")
    return ranks


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
