"""Files of others, through the commands: what is said of them, what is found out, what goes wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from reidctl.cli.foreign import runtime_told
from reidctl.errors import ConfigError
from tests.conftest import Cli
from tests.runtimes.artefacts import colour_info, colour_onnx, colour_xml

PEOPLE = "{name: synthetic, train_identities: 2, test_identities: 3, cameras: 2, images_per_camera: 2}"
CROWD = "{name: synthetic, train_identities: 2, test_identities: 30, cameras: 2, images_per_camera: 2}"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("bgr", {"color_order": "bgr"}),
        ("RGB, raw,64x32", {"color_order": "rgb", "pixels": "raw", "height": 64, "width": 32}),
        ("output=descriptor,normalized", {"output": "descriptor", "pixels": "normalized"}),
        ("{mean: [0.5, 0.5, 0.5], color_order: rgb}", {"mean": [0.5, 0.5, 0.5], "color_order": "rgb"}),
    ],
)
def test_words_become_parameters_of_the_runtime(tmp_path: Path, text: str, facts: dict[str, object]) -> None:
    spec = runtime_told(colour_onnx(tmp_path / "net.onnx"), text, None)
    assert (spec.name, spec.parameters) == ("openvino", {"foreign": facts})


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("rgbb", "'rgbb' says nothing of an input", "did you mean 'rgb'?"),
        ("rgb,bgr", "'bgr' says again what another word says", "--input"),
        ("", "'' says nothing", "--input rgb"),
        ("output=", "'output=' says nothing", "output=NAME"),
        ("256x", "'256x' says nothing", "256x128"),
    ],
)
def test_words_that_say_nothing_are_refused(tmp_path: Path, text: str, words: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        runtime_told(colour_onnx(tmp_path / "net.onnx"), text, None)
    assert hint in str(caught.value.hint)


def test_what_knows_what_it_takes_is_not_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").touch()
    result = cli("eval", tmp_path / "net.safetensors", "--data", PEOPLE, "--input", "rgb")
    assert (result.code, "--input: " in result.err, "leave it out" in result.err) == (2, True, True)
    result = cli("eval", "retail-0248", "--data", PEOPLE, "--extension", "lib.so")
    assert (result.code, "preset retail-0248 knows" in result.err) == (2, True)


def test_swapped_colours_are_noticed(cli: Cli, tmp_path: Path) -> None:
    """The blue of pictures tells the drawn people apart less well than all three colours with weights of their own."""
    weight = np.diag([1.0, 1.0, 0.05, 1.0]).astype(np.float32)[:3] * 50
    path = colour_onnx(tmp_path / "reddish.onnx", weight=weight)
    right, wrong = (cli("eval", path, "--data", CROWD, "--json", "--input", order) for order in ("rgb", "bgr"))
    assert right.code == wrong.code == 0, right.err + wrong.err
    assert "red and blue swapped" not in right.err
    figures = [json.loads(found.out)["targets"]["synthetic"]["mAP"] for found in (right, wrong)]
    assert ("it seems to take RGB, not BGR; try --input rgb" in wrong.err) == (figures[0] > figures[1] + 0.05)


def test_each_bad_file_is_one_line_and_exit_2(cli: Cli, tmp_path: Path) -> None:
    lone = colour_xml(tmp_path / "lone.xml")
    lone.with_suffix(".bin").unlink()
    (corrupt := colour_xml(tmp_path / "corrupt.xml")).write_text(corrupt.read_text()[:700])
    free = colour_onnx(tmp_path / "free.onnx", ("n", 3, "height", "width"))
    two = colour_onnx(tmp_path / "two.onnx", outputs=("first", "second"))
    ours = colour_onnx(tmp_path / "ours.onnx", info=colour_info())
    for arguments, words in (
        ((lone,), "lone.xml: its weights are missing"),
        ((corrupt,), "corrupt.xml: no intact OpenVINO IR"),
        ((free,), "free.onnx leaves the size of its images free"),
        ((two,), "two.onnx has 2 outputs: which of first, second is the embedding?"),
        (
            (ours, "--input", "bgr"),
            "states that it takes RGB with ImageNet's mean and deviation: color_order is not bgr",
        ),
        ((ours, "--input", "{mean: 5}"), "runtime 'openvino'.foreign.mean"),
        ((ours, "--extension", tmp_path / "absent.so"), "no such extension"),
        ((tmp_path,), "models: "),
    ):
        result = cli("eval", *arguments, "--data", PEOPLE)
        lines = [line for line in result.err.splitlines() if not line.startswith(("warning:", "hint: "))]
        assert result.code == 2
        assert len(lines) == 1, result.err
        assert words in lines[0]


def test_the_folder_of_an_ir_stands_for_it(cli: Cli, tmp_path: Path) -> None:
    colour_onnx(tmp_path / "net.onnx")
    result = cli("eval", tmp_path, "--data", PEOPLE, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["targets"]["synthetic"]["valid_queries"] == 6
