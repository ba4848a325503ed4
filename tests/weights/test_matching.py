from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reidctl.errors import InputError
from reidctl.weights import Report, Weights, match
from reidctl.weights.matching import WRAPPERS

OWN = {
    "conv.weight": torch.zeros(4, 3),
    "bn.weight": torch.zeros(4),
    "bn.num_batches_tracked": torch.tensor(0),
}


def _file(**tensors: Tensor) -> Weights:
    return Weights(Path("net.pth"), "PyTorch", {name.replace("__", "."): value for name, value in tensors.items()})


def _whole() -> dict[str, Tensor]:
    return {
        "conv__weight": torch.arange(12.0).reshape(4, 3),
        "bn__weight": torch.ones(4),
        "bn__num_batches_tracked": torch.tensor(7),
    }


def _names(report: Report) -> tuple[list[str], list[str], list[str]]:
    loaded, skipped, missing = (
        [item.name for item in items] for items in (report.loaded, report.skipped, report.missing)
    )
    return loaded, skipped, missing


def test_the_same_names_and_shapes_fit_whole() -> None:
    found = match(OWN, _file(**_whole()))
    assert torch.equal(found.state["conv.weight"], torch.arange(12.0).reshape(4, 3))
    assert found.state["bn.num_batches_tracked"] == 7
    assert _names(found.report) == (list(OWN), [], [])
    assert found.report.complete


@given(st.lists(st.sampled_from(WRAPPERS), max_size=4))
def test_wrappers_are_taken_off_in_any_order(wrappers: list[str]) -> None:
    prefix = "".join(wrappers)
    found = match(OWN, Weights(Path("x"), "PyTorch", {f"{prefix}{name}": value for name, value in OWN.items()}))
    assert _names(found.report) == (list(OWN), [], [])


def test_a_name_that_the_network_itself_wraps_is_kept() -> None:
    own = {"model.fc.weight": torch.zeros(2)}
    found = match(own, Weights(Path("x"), "PyTorch", {"module.model.fc.weight": torch.ones(2)}))
    assert torch.equal(found.state["model.fc.weight"], torch.ones(2))


def test_two_tensors_for_one_weight_are_refused() -> None:
    file = Weights(Path("two.pth"), "PyTorch", {"module.bn.weight": torch.ones(4), "net.bn.weight": torch.ones(4)})
    with pytest.raises(InputError, match=r"two\.pth: both module\.bn\.weight and net\.bn\.weight stand for bn\.weight"):
        match(OWN, file)


@pytest.mark.parametrize("shape", [(4, 1041), (4, 0), (1000, 4)])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_class_weights_are_left_out_and_take_nothing_from_the_network(shape: tuple[int, ...], prefix: str) -> None:
    tensors = {f"{prefix}{name}": value for name, value in OWN.items()}
    tensors |= {f"{prefix}classifier.weight": torch.zeros(shape), f"{prefix}classifier.bias": torch.zeros(shape[1])}
    report = match(OWN, Weights(Path("x"), "PyTorch", tensors)).report
    assert report.complete
    assert [(item.name, item.shape) for item in report.skipped] == [
        (f"{prefix}classifier.weight", shape),
        (f"{prefix}classifier.bias", shape[1:]),
    ]
    assert "belong to a loss" in report.skipped[0].reason


def test_a_network_that_has_a_classifier_of_its_own_gets_it() -> None:
    own = {"classifier.weight": torch.zeros(2)}
    assert match(own, _file(classifier__weight=torch.ones(2))).state.keys() == own.keys()


def test_the_counters_of_batch_norms_may_be_missing() -> None:
    tensors = _whole()
    del tensors["bn__num_batches_tracked"]
    report = match(OWN, _file(**tensors)).report
    assert report.complete
    assert _names(report)[2] == ["bn.num_batches_tracked"]


@pytest.mark.parametrize("name", ["conv__weight", "bn__weight"])
def test_anything_else_may_not(name: str) -> None:
    tensors = _whole()
    del tensors[name]
    report = match(OWN, _file(**tensors)).report
    assert not report.complete
    assert _names(report)[2] == [name.replace("__", ".")]


def test_a_tensor_without_a_place_makes_the_match_partial() -> None:
    report = match(OWN, _file(**_whole(), fpn__weight=torch.zeros(2))).report
    assert not report.complete
    assert _names(report) == (list(OWN), ["fpn.weight"], [])


def test_another_shape_is_skipped_and_missing_with_both_shapes() -> None:
    report = match(OWN, _file(**{**_whole(), "conv__weight": torch.zeros(3, 4)})).report
    assert [str(item) for item in report.skipped] == ["conv.weight [3, 4]: the network's is [4, 3]"]
    assert [str(item) for item in report.missing] == ["conv.weight [4, 3]"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_types_become_the_networks(dtype: torch.dtype) -> None:
    found = match(OWN, _file(**{**_whole(), "bn__weight": torch.ones(4, dtype=dtype)}))
    assert found.state["bn.weight"].dtype == torch.float32
    assert found.report.complete


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_numbers_of_another_nature_are_not_taken(dtype: torch.dtype) -> None:
    report = match(OWN, _file(**{**_whole(), "bn__weight": torch.ones(4).to(dtype)})).report
    assert not report.complete
    [skipped] = report.skipped
    assert skipped.reason == f"its numbers are {str(dtype).removeprefix('torch.')}, the network's float32"


@pytest.mark.parametrize(
    "tensor", [torch.empty(4, device="meta"), torch.ones(4).to_sparse()], ids=["without numbers", "sparse"]
)
def test_tensors_that_hold_no_plain_numbers_are_not_taken(tensor: Tensor) -> None:
    report = match(OWN, _file(**{**_whole(), "bn__weight": tensor})).report
    assert [item.reason for item in report.skipped] == ["it holds no plain numbers"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    tensors = _whole()
    tensors["conv__weight"][1, 2] = value
    with pytest.raises(InputError, match=r"net\.pth: 1 of its tensors hold NaN or infinity, the first is conv\.weight"):
        match(OWN, _file(**tensors))


def test_a_number_too_large_for_the_network_is_refused() -> None:
    with pytest.raises(InputError, match=r"the first is bn\.weight"):
        match(OWN, _file(**{**_whole(), "bn__weight": torch.full((4,), 1e300, dtype=torch.float64)}))


def test_no_number_is_looked_at_that_no_weight_needs() -> None:
    # As many numbers as this claims would fill any memory; there is one.
    huge = torch.full((1,), torch.nan).expand(2**40)
    report = match(OWN, _file(**{**_whole(), "bn__weight": huge, "other": huge})).report
    assert [item.shape for item in report.skipped] == [(2**40,), (2**40,)]


def test_the_report_says_all_by_name_and_shape() -> None:
    tensors = {**_whole(), "classifier__weight": torch.zeros(4, 9), "fc__weight": torch.zeros(2)}
    del tensors["bn__weight"]
    report = match(OWN, _file(**tensors)).report
    assert list(report.lines()) == [
        "weights from net.pth (PyTorch): 2 loaded, 2 skipped, 1 missing",
        "skipped classifier.weight [4, 9]: class weights, which here belong to a loss",
        "skipped fc.weight [2]: the network has no tensor of this name",
        "missing bn.weight [4]",
        "loaded conv.weight [4, 3]",
        "loaded bn.num_batches_tracked []",
    ]
    assert list(report.lines(loaded=False, most=1))[1:] == [
        "skipped classifier.weight [4, 9]: class weights, which here belong to a loss",
        "skipped and 1 more",
        "missing bn.weight [4]",
    ]
    shown = report.as_dict()
    assert (shown["source"], shown["kind"], shown["complete"]) == ("net.pth", "PyTorch", False)
    assert shown["loaded"][0] == {"name": "conv.weight", "shape": [4, 3]}
    assert shown["skipped"][1]["reason"] == "the network has no tensor of this name"
    assert shown["missing"] == [{"name": "bn.weight", "shape": [4], "reason": "", "expected": False}]
