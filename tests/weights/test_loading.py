from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reidctl.errors import InputError
from reidctl.weights import load_weights
from tests.training.stand_ins import Tiny
from tests.weights import files


def _saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, path)
    return path


def test_a_network_gets_the_weights_of_the_file(path: Path, model: Tiny, state: dict[str, Tensor]) -> None:
    report = load_weights(model, _saved(path, state))
    assert report.complete
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_part_needs_to_be_asked_for(path: Path, model: Tiny, state: dict[str, Tensor]) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state["fc.weight"] = torch.zeros(1, 8)
    state["head.weight"] = torch.zeros(2)
    file = _saved(path, state)
    with pytest.raises(InputError) as caught:
        load_weights(model, file)
    assert str(caught.value) == (
        f"{file} fits the network only in part: 8 tensors fit; left over 2 (fc.weight [1, 8]: the network's is "
        "[6, 8], head.weight [2]: the network has no tensor of this name); missing 1 (fc.weight [6, 8])"
    )
    assert "--allow-partial" in str(caught.value.hint)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    report = load_weights(model, file, allow_partial=True)
    assert len(report.loaded) == 8
    assert torch.equal(model.fc.weight, before["fc.weight"])
    assert torch.equal(model.fc.bias, state["fc.bias"])
    assert torch.equal(model.stem[1].running_mean, state["stem.1.running_mean"])


@pytest.mark.parametrize("allow_partial", [False, True])
def test_a_file_of_another_network_is_refused(path: Path, model: Tiny, allow_partial: bool) -> None:
    # A counter fits any network that has one of its name.
    file = _saved(path, {"conv1.weight": torch.zeros(2), "stem.1.num_batches_tracked": torch.tensor(3)})
    with pytest.raises(InputError, match=r"none of its 2 tensors fits the network: it has .*conv1\.weight"):
        load_weights(model, file, allow_partial=allow_partial)
    assert model.stem[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("operator", "eps", "said"),
    [
        ("MeanVarianceNormalization", 1e-5, True),
        ("MeanVarianceNormalization", 1e-10, False),
        ("Identity", 1e-5, False),
    ],
)
def test_a_file_that_dropped_the_eps_of_group_norms_is_remarked_on(
    path: Path, operator: str, eps: float, said: bool
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4, eps=eps))
    graph = files.network(*files.initialisers(network.state_dict()))
    graph.graph.node[0].op_type = operator
    path.write_bytes(graph.SerializeToString())
    report = load_weights(network, path)
    assert report.complete
    assert ("the network with 1e-05" in report.remark) == said
    assert ("model.lct_eps=1e-10" in report.remark) == said
    assert report.as_dict()["remark"] == report.remark
    assert list(report.lines(loaded=False)) == [report.summary, *([report.remark] if said else [])]
