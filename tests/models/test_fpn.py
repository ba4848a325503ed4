from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from reidctl.errors import ConfigError
from reidctl.models.fpn import FeaturePyramid, PyramidOptions
from reidctl.models.fpn_osnet import fpn_osnet_x0_25

CHANNELS = (4, 6, 8, 10)
MAPS = [
    torch.randn(2, channels, height, height // 2, generator=torch.Generator().manual_seed(channels))
    for channels, height in zip(CHANNELS, (16, 8, 4, 4), strict=True)
]


def levels_by_hand(pyramid: FeaturePyramid, maps: list[Tensor]) -> list[Tensor]:
    """The coarsest level first: every finer map is added to the one before, repeated pixel by pixel."""
    top = pyramid.conv_top(maps[3])
    levels = [pyramid.posthoc[0](top)]
    for step, (features, repeat) in enumerate([(maps[2], 1), (maps[1], 2), (maps[0], 2)]):
        top = pyramid.topdown_lateral[step](features) + top.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3)
        levels.append(pyramid.posthoc[step + 1](top))
    return levels


def largest_of_each_window(level: Tensor, side: int) -> Tensor:
    return level.unfold(2, side, side).unfold(3, side, side).flatten(4).amax(4)


@pytest.mark.parametrize("process", ["concatenation", "max_pooling", "elementwise_sum"])
@torch.no_grad()
def test_a_pyramid_is_its_definition(
    process: Literal["concatenation", "max_pooling", "elementwise_sum"],
) -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid(CHANNELS, PyramidOptions(dim=5, process=process))
    coarsest, *finer = levels_by_hand(pyramid, MAPS)
    pooled = [largest_of_each_window(level, side) for level, side in zip(finer, (1, 2, 4), strict=True)]
    expected = {
        "concatenation": torch.cat([pooled[0], pooled[1], pooled[2], coarsest], 1),
        "max_pooling": torch.stack([coarsest, *pooled]).amax(0),
        "elementwise_sum": coarsest + pooled[0] + pooled[1] + pooled[2],
    }[process]
    assert expected.shape[1] == pyramid.out_channels
    assert torch.allclose(pyramid(MAPS), expected, atol=1e-6)


def test_without_an_embedding_length_the_fused_map_is_as_wide_as_the_last_stage() -> None:
    for process, width in (("concatenation", 128), ("max_pooling", 24)):
        options = PyramidOptions.model_validate({"dim": 24, "process": process})
        network = fpn_osnet_x0_25(embedding_dim=None, pooling="avg", fpn=options, image_size=(64, 32)).eval()
        assert network(torch.randn(1, 3, 64, 32)).shape == (1, width)
        assert network.embedding_dim == width


def test_a_size_that_cannot_be_doubled_back_is_refused() -> None:
    with pytest.raises(ConfigError, match="image size 250x128 does not fit a feature pyramid"):
        fpn_osnet_x0_25(fpn=PyramidOptions(dim=8), image_size=(250, 128))
