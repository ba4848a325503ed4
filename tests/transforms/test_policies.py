import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from reidctl.transforms.policies import AugMix, RandAugment


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (AugMix(1.0), v2.AugMix(all_ops=False)),
        (AugMix(1.0, severity=7, width=2, alpha=0.5), v2.AugMix(7, 2, alpha=0.5, all_ops=False)),
        (RandAugment(1.0), v2.RandAugment()),
        (RandAugment(1.0, operations=3, magnitude=20), v2.RandAugment(3, 20)),
    ],
)
def test_a_policy_is_the_one_of_torchvision(ours, theirs, source: Image.Image) -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        found = ours(source)
        torch.manual_seed(seed)
        torch.rand(())
        assert found.tobytes() == theirs(source).tobytes()


def distance(transform, source: Image.Image) -> float:
    torch.manual_seed(0)
    before = np.asarray(source).astype(float)
    return float(np.mean([np.abs(np.asarray(transform(source)) - before).mean() for _ in range(60)]))


def test_a_stronger_policy_changes_more(source: Image.Image) -> None:
    assert distance(AugMix(1.0, severity=10), source) > 1.2 * distance(AugMix(1.0, severity=1), source)
    assert distance(RandAugment(1.0, 2, 25), source) > 1.2 * distance(RandAugment(1.0, 2, 3), source)
