import onnx
import pytest
from onnx import TensorProto, helper

from reidctl.export import simplify as simplifying
from reidctl.export.simplify import simplified
from tests.runtimes import jobs


def model_of(nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_what_does_nothing_is_taken_out() -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Identity", ["same"], ["again"]),
        helper.make_node("Relu", ["again"], ["y"]),
    ]
    assert [node.op_type for node in simplified(model_of(nodes)).graph.node] == ["Relu"]


@pytest.mark.parametrize("failure", [jobs.crash_on_files, jobs.stumble_on_files, jobs.break_off])
def test_a_simplifier_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch, failure: object) -> None:
    monkeypatch.setattr(simplifying, "simplify", failure)
    model = model_of([helper.make_node("Identity", ["x"], ["same"]), helper.make_node("Relu", ["same"], ["y"])])
    assert simplified(model) is model
