"""The folder of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.files import refuse_existing, replacing
from reidctl.report.embedding_map import require_umap
from reidctl.report.page import write_page
from reidctl.report.tables import as_csv, as_json, as_markdown

if TYPE_CHECKING:
    from reidctl.report.target import TargetReport

METRICS, QUERIES, NOTE, PAGE = "metrics.json", "queries.csv", "report.md", "report.html"


def require_report(folder: Path, *, force: bool, umap: bool) -> None:
    """Raise what would stop a report at its end: ExistsError for a folder in the way, MissingExtra without UMAP."""
    refuse_existing(folder, force)
    if umap:
        require_umap()


def write_report(
    folder: Path, model: str, tested: Sequence[TargetReport], document: Mapping[str, Any], *, force: bool = False
) -> None:
    """Write METRICS, QUERIES, NOTE and PAGE into a new folder, all of them or none.

    model: what was tested, in the user's words; document: that of `eval --json`. ExistsError where the folder is
    there and `force` is not given; InputError for an image that cannot be read.
    """
    refuse_existing(folder, force)
    with replacing(folder) as temporary:
        temporary.mkdir()
        (temporary / METRICS).write_text(as_json(document), encoding="utf-8")
        (temporary / QUERIES).write_text(as_csv(tested), encoding="utf-8")
        (temporary / NOTE).write_text(as_markdown(model, tested), encoding="utf-8")
        write_page(temporary / PAGE, model, tested)
