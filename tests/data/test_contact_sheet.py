from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from reidctl.config.schema import DataConfig
from reidctl.data.contact_sheet import (
    CAPTION,
    EMPTY,
    GAP,
    HEADER,
    LEAST_WIDTH,
    MARGIN,
    PALE,
    PAPER,
    contact_sheet,
    sheet_rows,
)
from reidctl.data.loader import TrainBatches, train_batches
from reidctl.types import ImageSpec, ReidData, Sample, Spec

SPEC = ImageSpec(height=40, width=20)
EPOCHS = 5


def _picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (50, 30, 3), dtype=np.uint8))


DATA = ReidData("noise", tuple(Sample(partial(_picture, k), f"noise{k}", k // 3, k % 3) for k in range(22)))
CHAIN = ("random_grid", "random_patch", "resize", "random_flip", "color_jitter", "random_erase")


@pytest.fixture(scope="module")
def batches() -> TrainBatches:
    config = DataConfig(
        image=SPEC,
        transforms=tuple(Spec(name=name) for name in CHAIN),
        sampler="identity_v2",
        images_per_identity=2,
        workers=0,
    )
    return train_batches(DATA, config, batch_size=4, seed=7)


def test_every_tile_is_what_its_epoch_trains_on(batches: TrainBatches) -> None:
    rows = sheet_rows(DATA, batches, 22, EPOCHS)
    sheet = np.asarray(contact_sheet(rows, batches, SPEC))
    seen = []
    for epoch in range(EPOCHS):
        found: dict[int, np.ndarray] = {}
        for batch in batches.epoch(epoch):
            for index, image in zip(batch.indices, batch.images.permute(0, 2, 3, 1).numpy(), strict=True):
                found.setdefault(index, image)
        seen.append(found)
    missing = 0
    for line, row in enumerate(rows):
        top = MARGIN + HEADER + line * (CAPTION + 40 + GAP) + CAPTION
        columns = range(MARGIN, sheet.shape[1] - MARGIN, LEAST_WIDTH + GAP)
        tiles = [sheet[top : top + 40, left : left + 20] for left in columns]
        sample = DATA.train.index(row.sample)
        np.testing.assert_array_equal(
            tiles[0], np.asarray(_picture(sample).resize((20, 40), Image.Resampling.BILINEAR))
        )
        for tile, found in zip(tiles[1:], seen, strict=True):
            if sample in found:
                np.testing.assert_array_equal(tile, found[sample])
            else:
                missing += 1
                assert tile[-1, -1].tolist() == list(EMPTY)
    assert len(rows) == 20, "all that the first epoch draws"
    assert missing > 0, "an epoch of five batches leaves two images out"


def test_a_caption_counts_cameras_from_1(batches: TrainBatches) -> None:
    row = next(row for row in sheet_rows(DATA, batches, 22, 1) if row.sample.camera == 2)
    sheet = contact_sheet([row], batches, SPEC)
    expected = Image.new("RGB", sheet.size, PAPER)
    place, font = (MARGIN, MARGIN + HEADER), ImageFont.load_default(13)
    caption = f"{row.sample.name}     identity {row.sample.identity}     camera 3"
    ImageDraw.Draw(expected).text(place, caption, PALE, font)
    box = (*place, sheet.width, place[1] + CAPTION)
    assert sheet.crop(box).tobytes() == expected.crop(box).tobytes()


def test_the_rows_are_spread_over_the_first_epoch(batches: TrainBatches) -> None:
    order = [draw.sample for draw in batches.draws(0)]
    rows = sheet_rows(DATA, batches, 4, EPOCHS)
    assert [DATA.train.index(row.sample) for row in rows] == order[::5]
    assert all(row.draws[0] is not None and len(row.draws) == EPOCHS for row in rows)


def test_a_sheet_shows_nothing_twice_alike(batches: TrainBatches) -> None:
    rows = sheet_rows(DATA, batches, 3, EPOCHS)
    images = [batches.image(draw).tobytes() for row in rows for draw in row.draws if draw]
    assert len(set(images)) == len(images)
