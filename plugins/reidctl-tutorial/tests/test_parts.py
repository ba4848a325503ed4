import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.testing import check_loss, check_transform
from reidctl_tutorial.ring import Ring
from reidctl_tutorial.shade import RandomShade


def test_ring_keeps_the_contract_of_a_loss() -> None:
    check_loss(Ring())


def test_ring_is_half_the_mean_squared_distance_from_the_radius() -> None:
    embeddings = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert Ring(radius=2.0)(embeddings, torch.tensor([0, 1])).item() == pytest.approx((3**2 + 0) / 2 / 2)


def test_ring_learns_its_radius() -> None:
    ring = Ring(radius=2.0)
    ring(torch.tensor([[3.0, 4.0]]), torch.tensor([0])).backward()
    assert ring.radius.grad == pytest.approx(2.0 - 5.0)


def test_shade_keeps_the_contract_of_a_transform() -> None:
    for p in (0.5, 1.0):
        check_transform(RandomShade(p=p))


def test_shade_falls_from_one_edge_to_the_other() -> None:
    white, seen = Image.new("RGB", (5, 2), "white"), set()
    torch.manual_seed(0)
    for _ in range(20):
        seen.add(tuple(np.asarray(RandomShade(p=1.0, darkest=0.2)(white))[0, :, 0].tolist()))
    assert seen == {(51, 102, 153, 204, 255), (255, 204, 153, 102, 51)}


def test_shade_leaves_the_rest_alone() -> None:
    white = Image.new("RGB", (5, 2), "white")
    assert RandomShade(p=0.0)(white) is white
