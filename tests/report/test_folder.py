import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reidctl.errors import ExistsError, InputError
from reidctl.report import TargetReport, write_report
from reidctl.types import Embeddings

DOCUMENT = {"schema": "reidctl.eval/1", "model": "net", "targets": {}}


def test_all_four_files_are_there(report: TargetReport, tmp_path: Path) -> None:
    write_report(tmp_path / "out", "net", [report], DOCUMENT)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["metrics.json", "queries.csv", "report.html", "report.md"]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == DOCUMENT


def test_the_csv_has_a_line_for_every_query(report: TargetReport, tmp_path: Path) -> None:
    write_report(tmp_path / "out", "net", [report], DOCUMENT)
    with (tmp_path / "out" / "queries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["query"] for row in rows] == [sample.name for sample in report.query.samples]
    known = [float(row["average_precision"]) for row in rows if row["average_precision"]]
    assert sum(known) / len(known) == pytest.approx(report.analysis.metrics.mAP)
    first = [int(row["first_rank"]) for row in rows if row["first_rank"]]
    assert sum(rank == 1 for rank in first) / len(first) == pytest.approx(report.analysis.metrics.cmc[1])
    assert (rows[-1]["query"], rows[-1]["average_precision"], rows[-1]["first_rank"]) == ("alone", "", "")
    matching = [row for row in rows if row["identity"] == row["nearest_identity"]]
    assert {row["nearest_is_match"] for row in matching} == {"1"}
    assert len(matching) == sum(rank == 1 for rank in first)


def test_the_note_is_a_table_of_the_figures(report: TargetReport, tmp_path: Path) -> None:
    write_report(tmp_path / "out", "net", [report], DOCUMENT)
    note = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    metrics, interval = report.analysis.metrics, report.analysis.intervals["mAP"]
    assert f"| mAP | {metrics.mAP:.2%} | {interval.low:.2%} to {interval.high:.2%} |" in note
    assert "1 queries have no match in another camera and are left out." in note
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in note.splitlines() if line.startswith("|")]
    assert set(widths) <= {4, 6}


def test_what_is_there_is_replaced_only_on_demand(report: TargetReport, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    with pytest.raises(ExistsError):
        write_report(tmp_path / "out", "net", [report], DOCUMENT)
    write_report(tmp_path / "out", "net", [report], DOCUMENT, force=True)
    assert not (tmp_path / "out" / "old.txt").exists()


def test_a_broken_image_leaves_the_old_report(report: TargetReport, tmp_path: Path) -> None:
    write_report(tmp_path / "out", "net", [report], DOCUMENT)
    before = (tmp_path / "out" / "report.html").read_bytes()
    missing = tuple(replace(sample, image=tmp_path / "none.jpg") for sample in report.query.samples)
    broken = replace(report, query=Embeddings(report.query.vectors, missing))
    with pytest.raises(InputError, match="no such image"):
        write_report(tmp_path / "out", "net", [broken], DOCUMENT, force=True)
    assert (tmp_path / "out" / "report.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
