import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reidctl.transforms import mixing
from reidctl.transforms.mixing import CutMix, Mixup


def batch(count: int = 4, height: int = 6, width: int = 4) -> tuple[Tensor, Tensor]:
    """Image i is i everywhere, its label 10 i."""
    images = torch.arange(count).float().reshape(-1, 1, 1, 1).expand(count, 3, height, width)
    return images.contiguous(memory_format=torch.channels_last), 10 * torch.arange(count)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share 0.75, each image with the next one, centre at a half."""
    monkeypatch.setattr(mixing, "_share", lambda alpha: 0.75)
    monkeypatch.setattr(mixing, "_permutation", lambda labels: torch.tensor([1, 2, 3, 0]))
    monkeypatch.setattr(mixing, "fractions", lambda count: [0.5] * count)


@pytest.mark.usefixtures("fixed")
def test_mixup_blends_images_in_the_share() -> None:
    found = Mixup()(*batch())
    assert found.share == 0.75
    assert found.partners.tolist() == [10, 20, 30, 0]
    # 0.75 · 0 + 0.25 · 1, 0.75 · 1 + 0.25 · 2, …
    assert found.images[:, 2, 5, 3].tolist() == [0.25, 1.25, 2.25, 2.25]
    assert (found.images == found.images[:, :1, :1, :1]).all()


@pytest.mark.usefixtures("fixed")
def test_cutmix_replaces_a_rectangle_and_counts_its_pixels() -> None:
    found = CutMix()(*batch())
    # A quarter of the area is half of each side: 3 x 2 pixels, rows 3 - 1 … 5 and columns 2 - 1 … 3.
    expected = torch.zeros(6, 4)
    expected[2:5, 1:3] = 1
    assert torch.equal(found.images[0, 0], expected)
    assert torch.equal(found.images[3, 1], 3 * (1 - expected))
    assert found.partners.tolist() == [10, 20, 30, 0]
    assert found.share == 1 - 6 / 24


@pytest.mark.usefixtures("fixed")
def test_cutmix_counts_only_what_lies_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "fractions", lambda count: [0.0, 0.99])
    found = CutMix()(*batch())
    # Around row 0 and column 3: rows -1 … 2 and columns 2 … 4, of which 2 x 2 lie inside.
    assert found.images[0, 0].nonzero().tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert found.share == 1 - 4 / 24


@given(
    alpha=st.floats(0.01, 100),
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_share_of_cutmix_is_that_of_the_pixels_that_stayed(alpha: float, sides: tuple[int, int], seed: int) -> None:
    torch.manual_seed(seed)
    images, labels = batch(3, *sides)
    found = CutMix(1.0, alpha)(images, labels)
    for image, label, partner in zip(found.images, labels, found.partners, strict=True):
        own, other = (image == label / 10).all(dim=0), (image == partner / 10).all(dim=0)
        assert (own | other).all()
        if label != partner:
            assert own.float().mean().item() == pytest.approx(found.share)


@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_shares_follow_beta(kind: type) -> None:
    torch.manual_seed(0)
    images, labels = batch(2, 64, 32)
    for alpha in (0.2, 1.0, 5.0):
        drawn = torch.tensor([kind(1.0, alpha)(images, labels).share for _ in range(400)])
        if kind is Mixup:
            # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
            assert drawn.mean().item() == pytest.approx(0.5, abs=0.06)
            assert drawn.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)
        else:
            assert drawn.mean().item() > 0.5, "a rectangle that is cut off replaces less"


@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_a_batch_is_mixed_with_the_given_probability(kind: type) -> None:
    torch.manual_seed(0)
    images, labels = batch()
    mixed = sum(kind(0.3)(images, labels).images is not images for _ in range(400))
    assert 0.23 * 400 < mixed < 0.37 * 400
    untouched = kind(0.0)(images, labels)
    assert (untouched.images is images, untouched.partners is labels, untouched.share) == (True, True, 1.0)


@pytest.mark.parametrize("kind", [Mixup, CutMix])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_memory_format_is_kept(kind: type, memory_format: torch.memory_format) -> None:
    images, labels = batch()
    found = kind()(images.contiguous(memory_format=memory_format), labels)
    assert found.images.is_contiguous(memory_format=memory_format)


def test_images_are_paired_at_random() -> None:
    torch.manual_seed(0)
    images, labels = batch()
    partners = {tuple(Mixup()(images, labels).partners.tolist()) for _ in range(300)}
    assert len(partners) == 24, "all permutations of four"
