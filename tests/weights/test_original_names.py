"""Files with the names and shapes that the original toolkit and torchreid write, as the parity fixtures list them."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reidctl import create_model
from reidctl.config import load_config
from reidctl.errors import InputError
from reidctl.training.checkpoint import build_model
from reidctl.weights import load_weights
from tests.weights import files

PARITY = Path(__file__).parents[1] / "parity"


def _listed(name: str, prefix: str = "module.") -> dict[str, Tensor]:
    listing = json.loads((PARITY / f"{name}.json").read_text())["state_dict"]
    state = {key: torch.zeros(shape, dtype=getattr(torch, dtype)) for key, shape, dtype in listing}
    state["conv5.conv.weight"].fill_(0.5)
    return {f"{prefix}{key}": value for key, value in state.items()}


def _preset(name: str) -> nn.Module:
    return build_model(load_config(name).config)


@pytest.mark.parametrize(("preset", "tensors"), [("0248", 568), ("0265", 562), ("0267", 562), ("0270", 562)])
def test_a_preset_takes_a_checkpoint_of_the_original_toolkit_whole(path: Path, preset: str, tensors: int) -> None:
    state = _listed(f"model_{preset}")
    assert len(state) == tensors
    model = _preset(f"retail-{preset}")
    report = load_weights(model, files.save(path, {"state_dict": state, "epoch": 65, "num_classes": [20]}, files.OLD))
    assert report.complete
    assert len(report.loaded) == tensors - 1
    assert [(item.name, item.shape) for item in report.skipped] == [("module.classifier.weight", (256, 20))]
    assert (model.get_parameter("conv5.conv.weight") == 0.5).all()


@pytest.mark.parametrize("model", ["osnet_x0_25", "osnet_x0_5", "osnet_ibn_x1_0"])
def test_an_osnet_takes_its_imagenet_weights_whole(path: Path, model: str) -> None:
    state = _listed(f"variant_{model}", prefix="")
    state["classifier.weight"], state["classifier.bias"] = torch.zeros(1000, 512), torch.zeros(1000)
    report = load_weights(create_model(model), files.save(path, state, files.OLD))
    assert report.complete
    assert [item.name for item in report.skipped] == ["classifier.weight", "classifier.bias"]


def test_a_retail_network_takes_imagenet_weights_only_in_part(path: Path) -> None:
    model = _preset("retail-0248")
    file = files.save(path, _listed("variant_osnet_x0_25", prefix=""), files.OLD)
    with pytest.raises(InputError, match="only in part"):
        load_weights(model, file)
    report = load_weights(model, file, allow_partial=True)
    assert {item.name.rpartition(".")[0] for item in report.missing} == {
        "in_first",
        "global_avgpool",
        "fc.0",
        "fc.1",
        "fc.2",
    }
    assert {item.name for item in report.skipped if not item.expected} == {
        *(f"conv1.bn.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")),
        *(f"fc.1.{name}" for name in ("weight", "bias", "running_mean", "running_var")),
        "fc.0.weight",
        "fc.0.bias",
    }
