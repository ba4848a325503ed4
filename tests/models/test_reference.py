"""Every network of the family against the numbers of the system that it was first trained with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.models.reference import NETWORKS, PARITY, Reference, filled
from tests.parity.fillrule import fixed_input

PRESETS = [name for name in NETWORKS if name.startswith("model_")]
# Their training differs from that of the presets and the narrow variants in width and depth only.
BIG = (
    "variant_osnet_x1_0",
    "variant_osnet_x0_75",
    "variant_osnet_x0_5",
    "variant_osnet_ibn_x1_0",
    "variant_fpn_x0_5_extra_blocks_lct",
)
STATISTICS = "after_train_forward."
TRAINED = [pytest.param(name, marks=pytest.mark.slow if name in BIG else ()) for name in NETWORKS]


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
    assert len(expected) > 500
    assert [(key, tuple(value.shape)) for key, value in NETWORKS[name]().state_dict().items()] == expected


@dataclass(frozen=True)
class Seen:
    """What a network made of the two images: embeddings, the pooled map, spatial means and shapes by layer."""

    embeddings: Tensor
    maps: Tensor
    means: dict[str, Tensor]
    shapes: dict[str, tuple[int, ...]]


@cache
@torch.no_grad()
def seen_in_eval(name: str) -> Seen:
    network = filled(name).double()
    maps: list[Tensor] = []
    means: dict[str, Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    names = {module: place for place, module in network.named_modules()}

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        means[names[module]], shapes[names[module]] = output.mean((2, 3)), tuple(output.shape)

    network.global_avgpool.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
    for place in Reference.load(name).places:
        network.get_submodule(place).register_forward_hook(record)
    embeddings = network(torch.from_numpy(fixed_input(2, seed=20240601)[1]))
    return Seen(embeddings, maps[0], means, shapes)


@pytest.mark.parametrize("name", NETWORKS)
def test_embeddings_and_feature_maps_are_the_references(name: str) -> None:
    seen, arrays = seen_in_eval(name), Reference.load(name).arrays
    assert_near(seen.embeddings, arrays["embedding_f64"])
    assert_near(seen.maps.mean((2, 3)), arrays["featuremap_channel_mean"])
    if name in PRESETS:
        assert_near(seen.maps[:, :8, :4, :4], arrays["featuremap_corner"])
    else:
        assert seen.maps.shape == tuple(arrays["featuremap_shape"])


@pytest.mark.parametrize("name", PRESETS)
def test_activations_on_the_way_are_the_references(name: str) -> None:
    seen, reference = seen_in_eval(name), Reference.load(name)
    assert len(reference.places) == 10
    for place in reference.places:
        assert seen.shapes[place] == tuple(reference.arrays[f"act_shape.{place}"])
        assert_near(seen.means[place], reference.arrays[f"act_mean.{place}"])


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_embeddings_in_single_precision_stay_close(name: str) -> None:
    found = filled(name)(torch.from_numpy(fixed_input(2, seed=20240601)[1]).float())
    np.testing.assert_allclose(found.numpy(), Reference.load(name).arrays["embedding_f32"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", TRAINED)
@torch.no_grad()
def test_embeddings_in_training_and_their_logits_are_the_references(name: str) -> None:
    network, reference = filled(name).double().train(), Reference.load(name)
    embeddings = network(torch.from_numpy(fixed_input(8, seed=20240602)[1]))
    assert_near(reference.logits(embeddings), reference.arrays["train_logits_f64"])
    if name in PRESETS:
        assert_near(embeddings, reference.arrays["train_embedding_f64"])
    statistics = {key: key.removeprefix(STATISTICS) for key in reference.arrays if key.startswith(STATISTICS)}
    assert len(statistics) == (4 if name in PRESETS else 0)
    state = network.state_dict()
    for key, place in statistics.items():
        assert_near(state[place], reference.arrays[key])
