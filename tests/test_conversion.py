"""Foreign weights as checkpoints, through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reidctl import open_embedder
from reidctl.training import load_checkpoint
from tests.conftest import Cli
from tests.training import stand_ins
from tests.training.stand_ins import Tiny
from tests.weights import files

NETWORK = ("--model", "tiny", "--set", "data.image={height: 32, width: 16}")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, name, part in stand_ins.PARTS:
        stand_ins.register(monkeypatch, registry, name, part)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(Tiny(image_size=(32, 16)).state_dict())


def test_the_checkpoint_embeds_as_the_network_that_was_saved(
    cli: Cli, tmp_path: Path, state: dict[str, Tensor]
) -> None:
    source = files.save(tmp_path / "model.pth.tar-65", files.original(state))
    result = cli("convert-weights", source, tmp_path / "out", *NETWORK)
    assert result.code == 0, result.err
    assert result.out == f"{tmp_path / 'out.safetensors'}\n"
    assert result.err == (
        f"weights from {source} (PyTorch): 9 loaded, 1 skipped, 0 missing\n"
        "  skipped module.classifier.weight [6, 5]: class weights, which here belong to a loss\n"
    )
    network = Tiny(image_size=(32, 16)).eval()
    network.load_state_dict(state)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 16, 3), np.uint8)
    normed = (
        torch.from_numpy(image).permute(0, 3, 1, 2) / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    ) / (torch.tensor([0.229, 0.224, 0.225])[:, None, None])
    found = open_embedder(tmp_path / "out.safetensors", device="cpu").embed_batch(image)
    np.testing.assert_allclose(found, network(normed).detach().numpy(), atol=1e-5)


def test_the_report_is_there_for_machines(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = files.save_onnx(tmp_path / "net.onnx", *files.initialisers(state))
    result = cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert (found["schema"], found["checkpoint"]) == ("reidctl.convert-weights/1", str(tmp_path / "out.safetensors"))
    assert found["weights"]["kind"] == "ONNX"
    assert {item["name"]: tuple(item["shape"]) for item in found["weights"]["loaded"]} == {
        name: tuple(value.shape) for name, value in state.items()
    }


def test_missing_weights_are_the_same_each_time(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    del state["fc.weight"]
    source = files.save(tmp_path / "net.pth", state)
    refused = cli("convert-weights", source, tmp_path / "a.safetensors", *NETWORK)
    assert refused.code == 2
    assert "missing 1 (fc.weight [6, 8])" in refused.err
    assert not (tmp_path / "a.safetensors").exists()
    for name in ("a", "b"):
        assert cli("convert-weights", source, tmp_path / f"{name}.safetensors", *NETWORK, "--allow-partial").code == 0
    a, b = (load_checkpoint(tmp_path / f"{name}.safetensors").state for name in "ab")
    assert torch.equal(a["fc.weight"], b["fc.weight"])
    assert torch.equal(a["fc.bias"], state["fc.bias"])


def test_nothing_is_replaced_unasked(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = files.save(tmp_path / "net.pth", state)
    target = tmp_path / "out.safetensors"
    target.write_text("mine")
    assert cli("convert-weights", source, target, *NETWORK).code == 2
    assert target.read_text() == "mine"
    assert cli("convert-weights", source, target, *NETWORK, "--force").code == 0


def test_the_network_must_be_named(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    result = cli("convert-weights", files.save(tmp_path / "net.pth", state), tmp_path / "out.safetensors")
    assert result.code == 2
    assert "--preset NAME or --model NAME" in result.err


def test_an_old_pickle_needs_trust_and_says_that_code_runs(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = files.save(tmp_path / "net.pth", files.torchreid(state), files.OLD)
    line = ("convert-weights", source, tmp_path / "out.safetensors", *NETWORK)
    refused = cli(*line)
    assert refused.code == 2
    assert "wants to call numpy._core.multiarray.scalar" in refused.err
    assert f"`reidctl convert-weights {source} OUT.safetensors … --trust-pickle`" in refused.err
    trusted = cli(*line, "--trust-pickle")
    assert trusted.code == 0, trusted.err
    assert trusted.err.startswith(f"warning: {source}: trusted, so the code that it names runs here (it calls numpy")
    found = load_checkpoint(tmp_path / "out.safetensors").state
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_trust_is_not_used_where_none_is_needed(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = files.save(tmp_path / "net.pth", state)
    result = cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--trust-pickle")
    assert result.code == 0
    assert "warning" not in result.err


def test_a_tar_file_of_pytorch_0_1_is_converted(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    # PyTorch counted no batches then.
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    source = files.tar(tmp_path / "net.pth", old)
    result = cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--trust-pickle")
    assert result.code == 0, result.err
    found = load_checkpoint(tmp_path / "out.safetensors").state
    assert all(torch.equal(found[name], value) for name, value in old.items())


def test_trust_lets_code_run_but_not_in_this_process(cli: Cli, tmp_path: Path, state: dict[str, Tensor]) -> None:
    """What the flag warns of is true: this is why nothing else unpickles."""
    import os

    ran = tmp_path / "ran"
    source = files.save(
        tmp_path / "net.pth", {"state_dict": state, "note": files.Call(os.system, f"echo $PPID > {ran}")}
    )
    assert cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK).code == 2
    assert not ran.exists()
    assert cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--trust-pickle").code == 0
    assert int(ran.read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [({}, "the unpickled PyTorch file holds no tensors"), ({"a\n": 1.0}, "'a\\n' is no tensor's name")],
)
def test_a_trusted_file_without_tensors_is_named(
    cli: Cli, tmp_path: Path, tensors: dict[str, float], words: str
) -> None:
    state = {name: torch.tensor(value) for name, value in tensors.items()}
    source = files.save(tmp_path / "net.pth", {"state_dict": state, "note": files.Call(files.Numbered, 1)})
    result = cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--trust-pickle")
    assert result.code == 2
    assert f"error: {source}: {words}" in result.err


def test_a_trusted_file_that_cannot_be_unpickled_is_one_line(
    cli: Cli, tmp_path: Path, state: dict[str, Tensor]
) -> None:
    source = files.save(tmp_path / "net.pth", {"state_dict": state, "note": files.Call(files.Numbered, 1)})
    content = source.read_bytes().replace(b"tests.weights.files", b"tests.weights.filez")
    source.write_bytes(content)
    result = cli("convert-weights", source, tmp_path / "out.safetensors", *NETWORK, "--trust-pickle")
    assert result.code == 2
    assert f"error: {source}: cannot be unpickled: " in result.err
    assert "Traceback" not in result.err
