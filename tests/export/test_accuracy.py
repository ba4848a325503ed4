from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvino import opset13 as operations
from PIL import Image

from reidctl.errors import CheckFailed
from reidctl.export import Goal, accuracy
from reidctl.export.accuracy import fewest, meeting
from reidctl.export.verification import _embed
from reidctl.runtimes.graph import read_graph
from reidctl.types import ReidData, Sample
from tests.runtimes.artefacts import HEIGHT, WEIGHT, WIDTH, colour_info, colour_onnx


@given(st.integers(0, 200), st.integers(0, 250))
def test_the_least_count_is_found_in_few_steps(most: int, least: int) -> None:
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count >= least

    assert fewest(most, holds) == (least if least <= most else None)
    assert len(asked) == len(set(asked)) <= 2 * (min(least, most) + 1).bit_length() + 1
    assert max(asked) <= most


@pytest.fixture
def people() -> ReidData:
    """Ten people, each of one colour, seen by two cameras; colours of neighbours are near each other."""

    def samples(camera: int) -> tuple[Sample, ...]:
        pictures = [np.full((HEIGHT, WIDTH, 3), (20 * i + camera, 250 - 9 * i, 11 * i), np.uint8) for i in range(10)]
        return tuple(
            Sample(partial(Image.fromarray, picture), f"{camera}-{i}", i, camera) for i, picture in enumerate(pictures)
        )

    return ReidData("colours", query=samples(0), gallery=samples(1))


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child process for each candidate."""

    def embedded(model: Path, samples: Any) -> Any:
        return _embed(model, tuple(samples), "cpu", None, 64)

    monkeypatch.setattr(accuracy, "embedded", embedded)


def roughened(graph: Any, port: Any) -> Any:
    """The graph with four levels for what goes into `port`: too few to tell ten colours apart."""
    ends = (np.float32(-3), np.float32(3), np.float32(-3), np.float32(3))
    port.replace_source_output(operations.fake_quantize(port.get_source_output(), *ends, 4).output(0))
    return graph


def operation(graph: Any, kind: str) -> Any:
    return next(op for op in graph.get_ordered_ops() if op.get_type_name() == kind)


def test_a_layer_that_costs_too_much_stays_in_floating_point(tmp_path: Path, people: ReidData) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", (1, 3, HEIGHT, WIDTH), info=colour_info())
    plain, rough = read_graph(path), read_graph(path)
    roughened(rough, operation(rough, "MatMul").input(0))
    info = colour_info(precision="int8")
    graph, found = meeting(Goal(people, 0.0), rough, plain, info, path, people.query)
    assert (found.layers, len(found.floating)) == (1, 1)
    assert found.floating[0] == operation(plain, "MatMul").get_friendly_name()
    assert found.before == found.after
    assert not any(op.get_type_name() == "FakeQuantize" for op in graph.get_ordered_ops())
    graph, found = meeting(Goal(people, 0.99, "rank1"), rough, plain, info, path, people.query)
    assert (found.floating, found.metric) == ((), "rank1")
    assert found.before is not None
    assert found.after is not None
    assert found.after < found.before
    assert any(op.get_type_name() == "FakeQuantize" for op in graph.get_ordered_ops())


def test_a_candidate_is_judged_with_its_scales_where_the_file_has_them(
    tmp_path: Path, people: ReidData, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def embedded(model: Path, samples: Any) -> Any:
        if model.suffix == ".xml":
            judged.append(read_graph(model).get_friendly_name())
        return _embed(model, tuple(samples), "cpu", None, 64)

    monkeypatch.setattr(accuracy, "embedded", embedded)
    monkeypatch.setattr(accuracy, "scale_ahead", lambda graph: graph.set_friendly_name("scaled"))
    path = colour_onnx(tmp_path / "colour.onnx", (1, 3, HEIGHT, WIDTH), info=colour_info())
    plain, rough = read_graph(path), read_graph(path)
    roughened(rough, operation(rough, "MatMul").input(0))
    graph, _ = meeting(Goal(people, 0.0), rough, plain, colour_info(precision="int8"), path, people.query)
    assert [*judged, graph.get_friendly_name()] == ["scaled"] * 3


def test_a_goal_that_no_choice_meets_is_exit_1_with_the_figures(tmp_path: Path, people: ReidData) -> None:
    """What is wrong here are the weights, not their levels."""
    shape = (1, 3, HEIGHT, WIDTH)
    path = colour_onnx(tmp_path / "colour.onnx", shape, info=colour_info())
    blind = WEIGHT * np.float32([0, 0, 0, 1])
    other = colour_onnx(tmp_path / "other.onnx", shape, weight=blind, info=colour_info())
    plain, rough = read_graph(path), read_graph(other)
    layer = operation(rough, "MatMul")
    ends = (np.float32(-9), np.float32(9), np.float32(-9), np.float32(9))
    fine = operations.fake_quantize(layer.input_value(0), *ends, 256)
    layer.input(0).replace_source_output(fine.output(0))
    with pytest.raises(CheckFailed, match=r"mAP 0.1 on colours .* becomes 0\.\d{4}, at best 0\.\d{4} with") as caught:
        meeting(Goal(people, 0.1), rough, plain, colour_info(precision="int8"), path, people.query)
    assert "nothing was written" in str(caught.value.hint)


def test_calibration_images_that_fill_no_batch_are_left_out_of_the_ranking(tmp_path: Path, people: ReidData) -> None:
    """Ten images are two batches of four, not two of five, which the graph does not take."""
    path = colour_onnx(tmp_path / "colour.onnx", (4, 3, HEIGHT, WIDTH), info=colour_info())
    plain, rough = read_graph(path), read_graph(path)
    roughened(rough, operation(rough, "MatMul").input(0))
    _, found = meeting(Goal(people, 0.0), rough, plain, colour_info(precision="int8"), path, people.query)
    assert len(found.floating) == 1
