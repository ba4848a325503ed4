from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from openvino import Model, op
from openvino import opset13 as ops

from reidctl.export.negligible import drop_negligible
from reidctl.runtimes.engine import engine
from tests.runtimes.artefacts import pictures

WEIGHTS = np.array([[1.0, -2.0, 1e-13], [3e-12, -1e-31, 0.0]], np.float32)
LEFT = np.array([[1.0, -2.0, 0.0], [3e-12, 0.0, 0.0]], np.float32)
"""2e-12 is the least beside -2."""
CONVOLUTIONS = ("Convolution", "GroupConvolution")


def test_what_is_nothing_beside_the_largest_goes() -> None:
    graph = product(WEIGHTS)
    assert drop_negligible(graph) == 2
    np.testing.assert_array_equal(constants(graph)["weights"], LEFT)
    assert drop_negligible(graph) == 0


@pytest.mark.parametrize("values", [1e-31, [1e-31, 3e-31], [0.0, 0.0], [np.inf, 1.0], [[]]])
def test_small_tensors_keep_their_numbers(values: Any) -> None:
    held = np.array(values, np.float32)
    graph = product(held)
    drop_negligible(graph)
    np.testing.assert_array_equal(constants(graph)["weights"], held)


def product(weights: NDArray[np.float32]) -> Model:
    images = ops.parameter([1, *weights.shape[-1:]], np.float32)
    held = op.Constant(weights)
    held.set_friendly_name("weights")
    return Model([ops.multiply(images, held)], [images])


def constants(graph: Model) -> dict[str, NDArray[Any]]:
    return {node.get_friendly_name(): node.data for node in graph.get_ops() if node.get_type_name() == "Constant"}


def test_a_published_network_makes_no_subnormal_number_any_more(real_data: Path) -> None:
    path = next((real_data / "models" / "omz" / "0287-FP32").glob("*.xml"))
    graphs = [engine().read_model(path) for _ in range(2)]
    assert drop_negligible(graphs[1]) > 0
    images = np.ascontiguousarray(pictures(1, 256, 128).transpose(0, 3, 1, 2), np.float32)
    (many, expected), (few, embeddings) = (subnormals(graph, images) for graph in graphs)
    assert many > 1000
    assert few == 0
    np.testing.assert_allclose(embeddings, expected, rtol=1e-6, atol=1e-6)


def subnormals(graph: Model, images: NDArray[np.float32]) -> tuple[int, NDArray[np.float32]]:
    """How many sums of convolutions, before the bias, have no normal float32, and the embeddings."""
    graph.add_outputs([node.output(0) for node in graph.get_ordered_ops() if node.get_type_name() in CONVOLUTIONS])
    found = engine().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)
    sizes = [np.abs(values) for values in found.to_tuple()]
    least = np.finfo(np.float32).tiny
    return sum(int(((each > 0) & (each < least)).sum()) for each in sizes), found[0]
