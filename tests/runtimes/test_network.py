import copy

import numpy as np
import pytest
import torch
from torch import nn

from reidctl.errors import ConfigError, InputError
from reidctl.runtimes.fusing import fuse_batch_norms
from reidctl.runtimes.network import NetworkEmbedder, preset_checkpoint
from tests.runtimes.artefacts import MEAN, STD, Real, held, pictures


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_images_are_normalised_and_embedded_in_eval_mode() -> None:
    checkpoint = held()
    images = pictures(5)
    inputs = torch.from_numpy(((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2)).float()
    with torch.no_grad():
        expected = checkpoint.build()(inputs).numpy()
    found = NetworkEmbedder(checkpoint, device="cpu", precision=None).embed_batch(images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_fused_batch_norms_change_no_embedding(real: Real) -> None:
    network = real.network
    fused = copy.deepcopy(network)
    fuse_batch_norms(fused)
    images = torch.from_numpy(pictures(2, 256, 128)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network(images), rtol=1e-4, atol=1e-5)
    assert norms(network) > 50
    assert norms(fused) == 0


class Activated(nn.BatchNorm2d):
    """A batch norm that does more, as timm's do."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return super().forward(maps).relu()


def test_layers_that_cannot_be_folded_are_left_alone() -> None:
    shared = nn.Conv2d(3, 4, 1)
    watched = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    watched[0].register_forward_hook(lambda *_: None)
    network = nn.ModuleList(
        [
            nn.Sequential(nn.Conv2d(3, 4, 1), Activated(4)),
            nn.Sequential(shared, nn.BatchNorm2d(4)),
            nn.Sequential(shared, nn.BatchNorm2d(4)),
            nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)),
            nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)),
            watched,
        ]
    ).eval()
    fuse_batch_norms(network)
    assert norms(network) == 6


def test_bf16_is_near_and_not_the_same() -> None:
    checkpoint, images = held(), pictures(4)
    exact, rough = (NetworkEmbedder(checkpoint, device="cpu", precision=p).embed_batch(images) for p in ("f32", "bf16"))
    assert rough.dtype == np.float32
    assert 1e-5 < np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()


def test_f16_on_a_cpu_and_unknown_precisions_are_refused() -> None:
    for precision in ("f16", "fp32"):
        with pytest.raises(InputError, match=f"computes no '{precision}'") as caught:
            NetworkEmbedder(held(), device="cpu", precision=precision)
        assert caught.value.hint == "choose f32 or bf16"


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="gpu"):
        NetworkEmbedder(held(), device="gpu", precision=None)


def test_a_preset_draws_its_weights_without_disturbing_others() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    checkpoint = preset_checkpoint("retail-0248")
    assert torch.equal(torch.rand(3), expected)
    assert checkpoint.info.preset == "retail-0248"
    assert checkpoint.info.weights_sha256 is None
    checkpoint.build()


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    checkpoint, images = held(), pictures(4)
    cpu, gpu = (
        NetworkEmbedder(checkpoint, device=name, precision=None).embed_batch(images) for name in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, rtol=1e-4, atol=1e-4)
