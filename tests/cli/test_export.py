"""`export` and `verify` on what users get wrong: one line, the documented exit code, nothing left behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from reidctl.errors import InputError
from tests.conftest import Cli, Result
from tests.runtimes.artefacts import colour_info, colour_onnx, colour_xml


@pytest.fixture
def colour(tmp_path: Path) -> Path:
    return colour_onnx(tmp_path / "colour.onnx", info=colour_info())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def one_line(result: Result, *words: str, code: int = 2) -> None:
    assert (result.code, result.out) == (code, "")
    lines = result.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.err
    assert "internal error" not in result.err
    for word in words:
        assert word in result.err


def segmentation(path: Path) -> Path:
    """A network from images to maps."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["data"], ["mask"])],
        "segmentation",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 32, 16])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 3, 32, 16])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_a_truncated_onnx_file(cli: Cli, colour: Path, out: Path) -> None:
    content = colour.read_bytes()
    for share in (0.2, 0.6, 0.95):
        colour.write_bytes(content[: int(share * len(content))])
        one_line(cli("export", "ir", colour, "-o", out), "colour.onnx: no intact ONNX file")
        one_line(cli("verify", colour, colour, "--limit", "1"), "colour.onnx: no intact ONNX file")
    assert list(out.iterdir()) == []


def test_an_onnx_file_for_another_task(cli: Cli, tmp_path: Path, out: Path) -> None:
    path = segmentation(tmp_path / "mask.onnx")
    one_line(cli("export", "ir", path, "-o", out), "mask.onnx: its output", "no batch of embeddings [B, D]")
    detector = colour_onnx(tmp_path / "boxes.onnx", outputs=("boxes", "scores"))
    one_line(cli("export", "ir", detector, "-o", out), "boxes.onnx has 2 outputs: which of boxes, scores")
    assert list(out.iterdir()) == []


def test_an_ir_without_its_weights(cli: Cli, tmp_path: Path, colour: Path) -> None:
    xml = colour_xml(tmp_path / "lone.xml")
    xml.with_suffix(".bin").unlink()
    one_line(cli("verify", colour, xml, "--limit", "1"), "lone.xml: its weights are missing", "put lone.bin beside it")


def test_a_folder_that_cannot_be_written(cli: Cli, colour: Path, tmp_path: Path) -> None:
    """Below a file nobody may make a folder, not even root."""
    (tmp_path / "file").write_text("kept")
    one_line(cli("export", "ir", colour, "-o", tmp_path / "file" / "ir", "--no-verify"), "Not a directory")
    one_line(cli("export", "onnx", "demo", "-o", tmp_path / "file" / "net.onnx", "--no-verify"), "Not a directory")
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["colour.onnx", "file"]


@pytest.mark.parametrize("name", ["colour.xml", "colour.bin"])
def test_an_output_that_is_there_already(cli: Cli, colour: Path, out: Path, name: str) -> None:
    (out / name).write_text("from before")
    one_line(cli("export", "ir", colour, "-o", out), f"{name} is already there", "--force")
    assert [path.read_text() for path in out.iterdir()] == ["from before"]
    assert cli("export", "ir", colour, "-o", out, "--force", "--no-verify").code == 0
    assert sorted(path.name for path in out.iterdir()) == ["colour.bin", "colour.xml"]
    assert (out / name).read_bytes() != b"from before"


def test_calibration_images_that_are_missing_or_no_images(cli: Cli, colour: Path, tmp_path: Path, out: Path) -> None:
    images = tmp_path / "images"

    def quantised(calib: Path | str) -> Result:
        return cli("export", "ir", colour, "-o", out, "--weights", "int8", "--calib", calib)

    one_line(quantised(images), "images: No such file or directory")
    images.mkdir()
    one_line(quantised(images), "images: no images")
    Image.fromarray(np.zeros((20, 10, 3), np.uint8)).save(images / "fine.png")
    (images / "broken.jpg").write_bytes(b"no picture")
    one_line(quantised(images), "broken.jpg: cannot be read: not an image")
    one_line(quantised("marcet1501"), "'marcet1501'", "did you mean 'market1501'?")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("opset", ["17", "99"])
def test_an_opset_that_cannot_be_had(cli: Cli, out: Path, opset: str) -> None:
    one_line(cli("export", "onnx", "demo", "-o", out / "net.onnx", "--opset", opset), f"opset {opset}", "choose 18 to")
    assert list(out.iterdir()) == []


def test_a_device_that_is_not_there(cli: Cli, colour: Path) -> None:
    result = cli("verify", colour, colour, "--device", "NPU.7", "--limit", "1")
    one_line(result, "OpenVINO finds no device 'NPU.7' here", "there are: CPU")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--calib", "x"], "--calib is about --weights int8 alone"),
        (["--max-drop", "mAP=0.1"], "--max-drop is about --weights int8 alone"),
        (["--weights", "int8"], "--weights int8: no images to quantise on"),
        (["--no-verify", "--images", "x"], "--no-verify compares nothing"),
        (["--images", "x", "--data", "synthetic"], "--images and --data both choose the images"),
    ],
)
def test_options_that_contradict_each_other(cli: Cli, colour: Path, out: Path, options: list[str], words: str) -> None:
    one_line(cli("export", "ir", colour, "-o", out, *options), words)
    assert list(out.iterdir()) == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is to be made is only looked at."""
    found: dict[str, Any] = {}

    def made(*arguments: Any, **options: Any) -> Path:
        found.update(options)
        raise InputError("seen")

    monkeypatch.setattr("reidctl.export.export_ir", made)
    return found


def test_int8_is_made_from_the_training_images_of_its_test(
    cli: Cli, colour: Path, out: Path, asked: dict[str, Any]
) -> None:
    line = ("export", "ir", colour, "-o", out, "--weights", "int8", "--data")
    one_line(cli(*line, "{name: synthetic, train_identities: 3, test_identities: 2}"), "seen")
    assert {sample.identity for sample in asked["calibration"]} == {0, 1, 2}
    assert len({sample.identity for sample in asked["goal"].target.query}) == 2


def test_a_data_set_to_quantise_on_is_none_of_the_folders_here(
    cli: Cli, colour: Path, out: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out)
    (out / "synthetic").mkdir()
    Image.new("RGB", (8, 16)).save(out / "synthetic" / "other.png")
    (out / "lab").mkdir()
    lines = [f"{index}.png,{index},1,train\n" for index in range(3)]
    (out / "lab" / "people.csv").write_text("".join(["path,identity,camera,split\n", *lines]))
    line = ("export", "ir", colour, "-o", out, "--weights", "int8")
    one_line(cli(*line, "--data", "synthetic"), "seen")
    assert len({sample.identity for sample in asked["calibration"]}) == 200
    one_line(cli(*line, "--calib", "{name: csv, file: lab/people.csv}", "--root", "."), "seen")
    assert [sample.identity for sample in asked["calibration"]] == [0, 1, 2]
    one_line(cli(*line, "--calib", "synthetic"), "seen")
    assert [sample.name for sample in asked["calibration"]] == ["other"]


@pytest.mark.parametrize("bound", ["mAP", "mAP=x", "mAP=-0.1", "rank5=0.1", "mAP=1"])
def test_a_bound_on_what_is_lost_that_is_none(cli: Cli, colour: Path, tmp_path: Path, bound: str) -> None:
    Image.fromarray(np.zeros((20, 10, 3), np.uint8)).save(tmp_path / "fine.png")
    line = ("export", "ir", colour, "-o", tmp_path / "ir", "--weights", "int8", "--calib", tmp_path)
    one_line(cli(*line, "--max-drop", bound), f"--max-drop {bound}: not mAP or rank1 and a fraction of 1")
    one_line(cli(*line, "--max-drop", "mAP=0.1"), "nothing to measure it on", "--data NAME")
    assert not (tmp_path / "ir").exists()


def test_images_of_ones_own_are_compared(cli: Cli, colour: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(np.full((40, 20, 3), 60 * index, np.uint8)).save(folder / f"{index}.png")
    line = ("export", "ir", colour, "-o", tmp_path / "ir", "--images", folder, "--json")
    made = json.loads(cli(*line).out)
    assert made["file"] == str(tmp_path / "ir" / "colour.xml")
    assert (made["verification"]["images"], made["verification"]["ok"], made["int8"]) == (3, True, None)
    found = json.loads(cli("verify", colour, tmp_path / "ir", "--images", folder, "--limit", "2", "--json").out)
    assert (found["schema"], found["images"], found["scores"]) == ("reidctl.verify/2", 2, [])


def test_labels_of_a_data_set_are_scored(cli: Cli, colour: Path) -> None:
    people = "{name: synthetic, test_identities: 3, cameras: 2, images_per_camera: 2}"
    result = cli("verify", colour, colour, "--data", people)
    assert result.code == 0, result.err
    assert "synthetic, rank-1" in result.out
    assert "synthetic, mAP" in result.out
    assert result.out.endswith("ok: the same network\n")


def test_a_file_that_is_given_its_suffix_is_not_replaced_either(cli: Cli, out: Path) -> None:
    (out / "net.onnx").write_text("mine")
    one_line(cli("export", "onnx", "demo", "-o", out / "net", "--no-verify"), "net.onnx is already there", "--force")
    assert (out / "net.onnx").read_text() == "mine"
