"""Pedestrians that are drawn, not photographed: a data set that needs no files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from reidctl.datasets.synthetic.shot import Shot
from reidctl.types import ReidData, Sample

TEST_PEOPLE = 5000


def synthetic(
    train_identities: Annotated[int, Ge(1), Le(TEST_PEOPLE), Field(description="people to train on")] = 200,
    test_identities: Annotated[int, Ge(1), Le(TEST_PEOPLE), Field(description="people to test on")] = 100,
    cameras: Annotated[int, Ge(2), Le(64), Field(description="cameras; each sees everybody")] = 6,
    images_per_camera: Annotated[int, Ge(2), Field(description="images of each person by each camera")] = 4,
    height: Annotated[int, Ge(32), Le(512), Field(description="picture height in pixels; half as wide")] = 128,
    seed: Annotated[int, Ge(0), Field(description="which world of people and cameras")] = 0,
    *,
    root: Path,
) -> ReidData:
    """Drawn pedestrians."""

    def people(first: int, count: int, indices: range, label: int) -> tuple[Sample, ...]:
        return tuple(
            Sample(Shot(seed, first + k, camera, index, height), f"{first + k:04d}_c{camera + 1}_{index:04d}", label + k, camera)
            for k in range(count)
            for camera in range(cameras)
            for index in indices
        )

    return ReidData(
        "synthetic",
        train=people(0, train_identities, range(images_per_camera), 0),
        query=people(TEST_PEOPLE, test_identities, range(1), TEST_PEOPLE),
        gallery=people(TEST_PEOPLE, test_identities, range(1, images_per_camera), TEST_PEOPLE),
    )
