"""`reidctl eval`: rank-k, mAP and thresholds of a checkpoint, ONNX file or IR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.eval_options import (
    AP,
    RESAMPLES,
    RULES,
    Bootstrap,
    Bounds,
    ByCamera,
    FalseMatchRates,
    Metric,
    Protocol,
    Ranks,
    ReportFolder,
    ranks_of,
)
from reidctl.cli.findings import SCHEMA, document, metrics_of, show
from reidctl.cli.options import (
    Data,
    Device,
    Extension,
    Force,
    InputFacts,
    Json,
    Model,
    OnBadImage,
    Precision,
    Root,
    Umap,
)
from reidctl.cli.output import output
from reidctl.cli.reranking import K1, K2, Lambda, Reranking, chosen_reranking, evaluation_device
from reidctl.errors import CheckFailed, ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.config.evaluation import EvalConfig
    from reidctl.report import TargetReport
    from reidctl.retrieval.analysis import Analysis
    from reidctl.types import Embeddings, Metrics


def evaluate(
    model: Model,
    data: Data = [],
    root: Root = None,
    rerank: Reranking = False,
    k1: K1 = None,
    k2: K2 = None,
    lambda_value: Lambda = None,
    ap: AP = None,
    metric: Metric = None,
    protocol: Protocol = None,
    ranks: Ranks = None,
    fpr: FalseMatchRates = [],
    by_camera: ByCamera = False,
    bootstrap: Bootstrap = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of random galleries and draws.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Average the embeddings of an image and its mirror.")] = False,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, show_default=False)] = None,
    on_bad_image: OnBadImage = None,
    device: Device = "auto",
    precision: Precision = None,
    input_: InputFacts = None,
    extension: Extension = None,
    fail_under: Bounds = [],
    report: ReportFolder = None,
    umap: Umap = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Test a model: rank-k, mAP and mINP, and which distance means the same person."""
    from reidctl.cli.targets import embed_target, open_model, open_targets
    from reidctl.report import require_report, write_report
    from reidctl.retrieval.thresholds import require_shares

    bounds = [_bound(text) for text in fail_under]
    asked: dict[str, Any] = {"metric": metric, "protocol": protocol, "ap": ap and RULES[ap]}
    asked["ranks"] = None if ranks is None else ranks_of(ranks)
    require_shares(fpr)
    if report:
        require_report(report, force=force, umap=umap)
    elif umap:
        raise ConfigError("--umap is a map in a report, and there is none", "add --report DIR")
    opened = open_model(model, device, precision, input_, extension)
    asked["rerank"] = chosen_reranking(opened.settings.rerank, rerank, k1, k2, lambda_value)
    settings = opened.settings.model_copy(update={key: value for key, value in asked.items() if value is not None})
    _require_known(bounds, settings.ranks)
    details = Details(tuple(fpr), bootstrap or (RESAMPLES if fpr else 0), by_camera)
    scoring = _scoring(settings, evaluation_device(device), seed)
    found: dict[str, Metrics | Analysis] = {}
    told: list[TargetReport] = []
    for target in open_targets(data, root, opened.config, on_bad_image):
        query, gallery = embed_target(opened, target, flip, batch_size)
        if report:
            told.append(_told(target.name, query, gallery, scoring, details, umap))
            found[target.name] = told[-1].analysis
        else:
            found[target.name] = _score(query, gallery, scoring, details)
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


def _scoring(settings: EvalConfig, device: str, seed: int) -> dict[str, Any]:
    return {
        "metric": settings.metric,
        "ranks": settings.ranks,
        "ap_rule": settings.ap,
        "rerank": settings.rerank,
        "protocol": settings.protocol,
        "device": device,
        "seed": seed,
    }


def _score(query: Embeddings, gallery: Embeddings, scoring: dict[str, Any], details: Details) -> Metrics | Analysis:
    from reidctl.retrieval import analyse, evaluate

    if details == Details((), 0, by_camera=False):
        return evaluate(query, gallery, **scoring)
    return analyse(query, gallery, **scoring, **asdict(details))


def _told(
    name: str, query: Embeddings, gallery: Embeddings, scoring: dict[str, Any], details: Details, umap: bool
) -> TargetReport:
    from reidctl.report import analyse_in_full, examine

    rates, draws = details.false_match_rates or None, details.bootstrap or RESAMPLES
    analysis = analyse_in_full(query, gallery, **scoring, false_match_rates=rates, bootstrap=draws)
    return examine(name, query, gallery, analysis, rerank=scoring["rerank"], device=scoring["device"], umap=umap)


def _bound(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        bound = float(value)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise ConfigError(f"--fail-under {text}: not METRIC=VALUE", "write --fail-under mAP=0.7")
    return name, bound


def _require_known(bounds: list[tuple[str, float]], ranks: Sequence[int]) -> None:
    """ConfigError for a bound of what is no metric, before anything is embedded."""
    known = [*(f"rank{rank}" for rank in ranks), "mAP", "mINP"]
    for name, _ in bounds:
        if name not in known:
            raise ConfigError(
                f"--fail-under: no metric '{name}'", suggestion(name, known, f"metrics: {', '.join(known)}")
            )


def _require(found: dict[str, Metrics], bounds: list[tuple[str, float]]) -> None:
    for name, bound in bounds:
        for target, metrics in found.items():
            value = metrics.as_dict()[name]
            if value < bound:
                raise CheckFailed(f"{target}: {name} {value:.4f} is under {bound:g}")
