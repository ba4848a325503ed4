"""Every network of the family against the numbers of the system that it was first trained with."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reidctl.models.osnet import OSNet
from tests.models.reference import NETWORKS, PARITY, Reference, filled
from tests.parity.fillrule import fixed_input

PRESETS = [name for name in NETWORKS if name.startswith("model_")]
BIG = {"model_0265", "variant_osnet_x1_0", "variant_osnet_x0_75", "variant_osnet_ibn_x1_0"}
TRAINED = [pytest.param(name, marks=pytest.mark.slow if name in BIG - {"model_0265"} else ()) for name in NETWORKS]


def assert_near(found: Tensor, expected: np.ndarray, relative: float = 1e-9) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=relative * np.abs(expected).max())


def test_every_fixture_of_the_family_is_compared() -> None:
    shipped = {path.stem for path in PARITY.glob("*.npz") if path.stem.startswith(("model_", "variant_"))}
    assert shipped - {name for name in shipped if "_ain" in name} == set(NETWORKS)


@pytest.mark.parametrize(("preset", "name"), [(name.removeprefix("model_"), name) for name in PRESETS])
def test_the_images_are_those_of_the_fixtures(preset: str, name: str) -> None:
    listing = json.loads((PARITY / f"{name}.json").read_text())
    assert listing["preset"] == preset
    digest = hashlib.sha256(fixed_input(2, seed=20240601)[0].tobytes()).hexdigest()
    assert digest == listing["input_sha256_u8"]


@pytest.mark.parametrize("name", NETWORKS)
def test_names_order_and_shapes_of_the_weights_are_the_references(name: str) -> None:
    expected = [entry for entry in Reference.load(name).listing if not entry[0].startswith("classifier.")]
    assert [(key, tuple(value.shape)) for key, value in NETWORKS[name]().state_dict().items()] == expected


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_embeddings_and_feature_maps_are_the_references(name: str, images: Tensor) -> None:
    network, arrays = filled(name).double(), Reference.load(name).arrays
    seen: dict[str, Tensor] = {}
    network.global_avgpool.register_forward_pre_hook(lambda _, inputs: seen.update(maps=inputs[0]))
    assert_near(network(images), arrays["embedding_f64"])
    assert_near(seen["maps"].mean((2, 3)), arrays["featuremap_channel_mean"])
    if name in PRESETS:
        assert_near(seen["maps"][:, :8, :4, :4], arrays["featuremap_corner"])
    else:
        assert seen["maps"].shape == tuple(arrays["featuremap_shape"])


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_activations_on_the_way_are_the_references(name: str, images: Tensor) -> None:
    network, arrays = filled(name).double(), Reference.load(name).arrays
    means: dict[str, Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def record(place: str) -> None:
        def hook(_: nn.Module, __: object, output: Tensor) -> None:
            means[place], shapes[place] = output.mean((2, 3)), tuple(output.shape)

        network.get_submodule(place).register_forward_hook(hook)

    places = [key.removeprefix("act_mean.") for key in arrays if key.startswith("act_mean.")]
    assert len(places) == 10
    for place in places:
        record(place)
    network(images)
    for place in places:
        assert shapes[place] == tuple(arrays[f"act_shape.{place}"])
        assert_near(means[place], arrays[f"act_mean.{place}"])


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_embeddings_in_single_precision_stay_close(name: str, images: Tensor) -> None:
    found = filled(name)(images.float())
    np.testing.assert_allclose(found.numpy(), Reference.load(name).arrays["embedding_f32"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", TRAINED)
@torch.no_grad()
def test_embeddings_in_training_and_their_logits_are_the_references(name: str, training_images: Tensor) -> None:
    network, reference = filled(name).double().train(), Reference.load(name)
    embeddings = network(training_images)
    assert_near(reference.logits(embeddings), reference.arrays["train_logits_f64"])
    if name in PRESETS:
        assert_near(embeddings, reference.arrays["train_embedding_f64"])
        statistics = assert_statistics(network, reference)
        assert statistics >= 4


def assert_statistics(network: OSNet, reference: Reference) -> int:
    """The batch statistics after one training step are the reference's; their number."""
    state = network.state_dict()
    prefix = "after_train_forward."
    found = [key.removeprefix(prefix) for key in reference.arrays if key.startswith(prefix)]
    for key in found:
        assert_near(state[key], reference.arrays[prefix + key])
    return len(found)
