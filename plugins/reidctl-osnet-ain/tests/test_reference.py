"""Both networks against the numbers of the system that they were first written for."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reidctl_osnet_ain.network import OSNetAIN, osnet_ain2_x1_0, osnet_ain_x1_0

PARITY = Path(__file__).parent / "parity"
NETWORKS: dict[str, Callable[[], OSNetAIN]] = {
    "variant_osnet_ain_x1_0": lambda: osnet_ain_x1_0(512),
    "variant_osnet_ain2_x1_0": lambda: osnet_ain2_x1_0(),
    "variant_osnet_ain_x1_0_amsoftmax_lct": lambda: osnet_ain_x1_0(pooling="avg+max", lct_gate=True),
}
ON_ALL = pytest.mark.parametrize("name", NETWORKS)


def _fill_rule() -> Any:
    spec = importlib.util.spec_from_file_location("fillrule", PARITY / "fillrule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILL = _fill_rule()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Double precision convolutions are many small loops, which threads only slow down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _listing(name: str) -> dict[str, tuple[int, ...]]:
    listed = json.loads((PARITY / f"{name}.json").read_text())["state_dict"]
    return {key: tuple(shape) for key, shape, _ in listed}


def _arrays(name: str) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(PARITY / f"{name}.npz") as arrays:
        return dict(arrays)


def _filled(name: str) -> OSNetAIN:
    network = NETWORKS[name]()
    FILL.refill(network)
    return network.double().eval()


def _logits(name: str, embeddings: Tensor) -> Tensor:
    """Those of the reference's classifier: cosines where its weight is [D, C], else an affine map."""
    shapes = {key: shape for key, shape in _listing(name).items() if key.startswith("classifier.")}
    weight, *bias = (
        torch.as_tensor(FILL.fill_value(key, shape, None)).float().double() for key, shape in shapes.items()
    )
    if bias:
        return embeddings @ weight.T + bias[0]
    return nn.functional.normalize(embeddings) @ nn.functional.normalize(weight, dim=0)


def _assert_near(found: Tensor, expected: np.ndarray[Any, Any]) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_every_fixture_is_compared() -> None:
    assert {path.stem for path in PARITY.glob("*.npz")} == set(NETWORKS)


@ON_ALL
def test_names_order_and_shapes_of_the_weights_are_the_references(name: str) -> None:
    expected = {key: shape for key, shape in _listing(name).items() if not key.startswith("classifier.")}
    assert len(expected) > 500
    found = {key: tuple(value.shape) for key, value in NETWORKS[name]().state_dict().items()}
    assert list(found.items()) == list(expected.items())


@ON_ALL
@torch.no_grad()
def test_embeddings_and_feature_maps_are_the_references(name: str) -> None:
    network, arrays = _filled(name), _arrays(name)
    images = torch.from_numpy(FILL.fixed_input(2, seed=20240601)[1])
    maps = network.feature_maps(images)
    assert maps.shape == tuple(arrays["featuremap_shape"])
    _assert_near(maps.mean((2, 3)), arrays["featuremap_channel_mean"])
    _assert_near(network(images), arrays["embedding_f64"])


@ON_ALL
@torch.no_grad()
def test_embeddings_in_single_precision_stay_close(name: str) -> None:
    images = torch.from_numpy(FILL.fixed_input(2, seed=20240601)[1]).float()
    found = _filled(name).float()(images).numpy()
    np.testing.assert_allclose(found, _arrays(name)["embedding_f64"], rtol=0, atol=2e-5)


@ON_ALL
@torch.no_grad()
def test_logits_in_training_are_the_references(name: str) -> None:
    network = _filled(name).train()
    embeddings = network(torch.from_numpy(FILL.fixed_input(8, seed=20240602)[1]))
    _assert_near(_logits(name, embeddings), _arrays(name)["train_logits_f64"])
