import numpy as np
import openvino
from openvino import opset13 as operations

from reidctl.runtimes.constants import copied, is_constant, put, put_everywhere, stored
from tests.graphs import computed

THREE = np.float32([1, 2, 3])


def doubled() -> tuple[openvino.Model, openvino.Node, openvino.Node]:
    """x · w + w with one constant w, the product and the sum."""
    x, weights = operations.parameter([3], np.float32, name="x"), operations.constant(THREE, name="weights")
    product = operations.multiply(x, weights)
    total = operations.add(product, weights)
    return openvino.Model([operations.result(total)], [x]), product, total


def test_what_an_input_takes_is_told() -> None:
    _, product, total = doubled()
    assert [is_constant(port) for port in (*product.inputs(), *total.inputs())] == [False, True, False, True]
    assert stored(total.input(1)).tolist() == [1, 2, 3]


def test_one_taker_gets_other_values_and_the_others_keep_theirs() -> None:
    model, product, _ = doubled()
    put(product.input(1), np.flip(THREE))
    assert computed(model, np.ones(3, np.float32)).tolist() == [4, 4, 4]
    assert product.input_value(1).get_node().get_friendly_name() == "weights"


def test_all_takers_get_other_values() -> None:
    model, product, total = doubled()
    put_everywhere(product.input_value(1).get_node(), np.flip(THREE))
    assert computed(model, np.ones(3, np.float32)).tolist() == [6, 4, 2]
    assert total.input_value(1).get_node().get_friendly_name() == "weights"


def test_a_copy_feeds_another_graph() -> None:
    (_, before, _), (model, product, _) = doubled(), doubled()
    put(before.input(1), THREE * 10)
    product.input(1).replace_source_output(copied(before.input(1)))
    assert computed(model, np.ones(3, np.float32)).tolist() == [11, 22, 33]
