"""The options of `reidctl eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from reidctl.errors import ConfigError

RESAMPLES = 1000
RULES: dict[str, Literal["step", "trapezoid"]] = {"market": "step", "trapezoid": "trapezoid"}
"""Rules of average precision: what users call them, and what they are called within."""

AP = Annotated[
    Literal["market", "trapezoid"] | None,
    typer.Option("--ap", help="Rule of average precision: Market-1501's, or the Open Model Zoo's.", show_default=False),
]
Metric = Annotated[
    Literal["cosine", "euclidean"] | None,
    typer.Option("--metric", help="Distance between embeddings.", show_default=False),
]
Protocol = Annotated[
    Literal["market1501", "cuhk03", "single-shot"] | None,
    typer.Option(
        "--protocol",
        help="Rank the whole gallery, or ten random ones of one image an identity (cuhk03: for rank-k only).",
        show_default=False,
    ),
]
Ranks = Annotated[
    str | None, typer.Option("--ranks", metavar="K,K,…", help="Ranks to tell, e.g. 1,5,10.", show_default=False)
]
FalseMatchRates = Annotated[
    list[float],
    typer.Option(
        "--fpr",
        metavar="RATE",
        help="Find the distance that means the same person, where this share of the pairs of different people is "
        "taken for one, e.g. 0.001; repeatable.",
    ),
]
ByCamera = Annotated[bool, typer.Option("--by-camera", help="Also by camera, and by pairs of cameras.")]
Bootstrap = Annotated[
    int | None,
    typer.Option(
        "--bootstrap",
        metavar="N",
        min=100,
        help=f"95 % intervals from N draws of other people; {RESAMPLES} with --fpr.",
        show_default=False,
    ),
]
Bounds = Annotated[
    list[str],
    typer.Option("--fail-under", metavar="METRIC=VALUE", help="Exit 1 below it, e.g. mAP=0.7; repeatable."),
]
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


def ranks_of(text: str) -> tuple[int, ...]:
    """The ranks that `--ranks` names; ConfigError unless they are whole numbers from 1 on between commas."""
    try:
        ranks = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--ranks {text}: not whole numbers between commas", "write --ranks 1,5,10") from error
    if min(ranks) < 1:
        raise ConfigError(f"--ranks {text}: ranks start at 1", "write --ranks 1,5,10")
    return ranks
