import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reidctl.benchmarking import BenchRow
from reidctl.cli import benched
from tests.benchmarking.engines import a_row
from tests.conftest import Cli
from tests.runtimes.artefacts import colour_info, colour_onnx


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return colour_onnx(tmp_path / "colour.onnx", info=colour_info())


def test_rows_in_three_forms(cli: Cli, network: Path, tmp_path: Path) -> None:
    quick = ("--batch", "1", "--hint", "latency", "--seconds", "0.2", "--repeats", "2", "--precision", "f32")
    result = cli("bench", network, *quick, "--csv", tmp_path / "rows.csv", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["schema"] == "reidctl.bench/2"
    [row] = found["rows"]
    assert row["fps"] > 0
    assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    assert {one["goal"] for one in found["advice"]} == {"throughput", "latency"}
    assert found["machine"]["cores"] > 0
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        [line] = csv.DictReader(file)
    assert list(line) == list(row)
    assert float(line["fps"]) == row["fps"]


def test_accuracy_has_columns_and_a_plot(cli: Cli, network: Path, tmp_path: Path) -> None:
    few = "{name: synthetic, test_identities: 3, cameras: 2, images_per_camera: 2}"
    result = cli(
        *("bench", network, "--batch", "1", "--hint", "latency", "--seconds", "0.1", "--repeats", "1"),
        *("--precision", "f32", "--data", few, "--plot", tmp_path / "plot.png", "--from", "jpeg"),
    )
    assert result.code == 0, result.err
    head, _, line = result.out.splitlines()[:3]
    assert "synthetic mAP" in head
    assert "synthetic rank-1" in head
    assert line.split()[0] == "colour.onnx"
    assert f"{network}: for throughput deploy openvino on CPU, f32 with f32 weights, batch 1" in result.out
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "f64"), "precision 'f64' is none of f32, bf16, f16"),
        (("--engine", "eagre"), "did you mean 'eager'?"),
        (("--batch", "0"), "--batch 0"),
        (("--batch", ""), "--batch"),
        (("--streams", "many"), "--streams many"),
        (("--hint", "speed"), "hint 'speed'"),
        (("--from", "video"), "start 'video'"),
        (("--weights", "int4"), "weights 'int4'"),
        (("--device", "NPU"), "there are: CPU (openvino)"),
        (("--engine", "eager"), "nothing to measure"),
        (("--plot", "plot.png"), "--plot draws accuracy against speed"),
        (("--data", "marked1501"), "market1501"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_measured(
    cli: Cli, network: Path, options: tuple[str, ...], message: str
) -> None:
    result = cli("bench", network, *options)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""


def test_a_file_that_is_there_is_kept(cli: Cli, network: Path, tmp_path: Path) -> None:
    there = tmp_path / "rows.csv"
    there.write_text("mine")
    result = cli("bench", network, "--csv", there)
    assert result.code == 2
    assert "already there" in result.err
    assert there.read_text() == "mine"


@pytest.mark.parametrize("options", [("--csv",), ("--data", "market1501", "--plot")])
def test_an_output_that_cannot_be_written_is_told_of_before_anything_is_measured(
    cli: Cli, network: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    result = cli("bench", network, *options, tmp_path / "file" / "rows.png")
    assert (result.code, result.out) == (2, "")
    assert "file/rows.png: Not a directory" in result.err


def test_nothing_measured_is_exit_1_and_says_why(cli: Cli, network: Path) -> None:
    result = cli(
        "bench",
        network,
        "--precision",
        "f16",
        "--batch",
        "1",
        "--hint",
        "latency",
        "--seconds",
        "0.1",
        "--repeats",
        "1",
    )
    if result.code == 0:
        pytest.skip("this CPU computes f16")
    assert result.code == 1
    assert "nothing could be measured: CPU computes no f16 here" in result.err


def told(cli: Cli, capsys: pytest.CaptureFixture[str], rows: list[BenchRow]) -> Any:
    capsys.readouterr()
    benched.tell(rows, json=False)
    return capsys.readouterr()


def test_rows_that_changed_between_repeats_are_warned_of(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [a_row(), a_row(spread=0.15), a_row(spread=0.4), a_row(error="it broke")]
    assert (
        "noise: 2 of 4 rows changed by more than 10 % between their repeats, the worst by 40%"
        in told(cli, capsys, rows).err
    )
    assert told(cli, capsys, [a_row()]).err == ""


def test_a_row_that_is_not_to_be_had_says_why(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(cli, capsys, [a_row(), a_row(error="it broke", batch=8)]).out
    assert "it broke" in out.splitlines()[3]
    assert "\nnet: for throughput deploy openvino on CPU, f32 with f32 weights, batch 1, one batch at a time" in out


def test_a_row_without_accuracy_shows_its_speed_and_a_warning_says_why(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [a_row(mAP=0.8), replace(a_row(batch=8, fps=77.0), error="no accuracy: it broke")]
    shown = told(cli, capsys, rows)
    assert "77.0" in shown.out.splitlines()[3]
    assert "warning: 1 of 2 rows: no accuracy: it broke" in shown.err


def test_files_of_one_name_keep_their_folders(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(cli, capsys, [a_row(model="a/net.xml"), a_row(model="b/net.xml")]).out
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["a/net.xml", "b/net.xml"]
