"""Pedestrians that are drawn, not photographed: a data set that needs no files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from reidctl.datasets.synthetic.shot import Shot
from reidctl.types import ReidData, Sample

# Test people have numbers of their own, so that more training people leave the test as it was.
MOST_PEOPLE = 5000


def synthetic(
    train_identities: Annotated[int, Ge(1), Le(MOST_PEOPLE), Field(description="people to train on")] = 200,
    test_identities: Annotated[int, Ge(1), Le(MOST_PEOPLE), Field(description="other people to test on")] = 100,
    cameras: Annotated[int, Ge(2), Le(64), Field(description="cameras; every one sees everybody")] = 6,
    images_per_camera: Annotated[int, Ge(2), Field(description="images of each person by each camera")] = 4,
    height: Annotated[int, Ge(32), Le(512), Field(description="image height in pixels; half as wide")] = 128,
    seed: Annotated[int, Ge(0), Field(description="which people and cameras there are")] = 0,
    *,
    root: Path,
) -> ReidData:
    """Drawn pedestrians, always the same for the same seed; needs no files and ignores `root`.

    200 identities and 4,800 images to train, 100 others in 600 queries and 1,800 gallery images; 6 cameras; 64x128.
    People differ in build, skin, hair, hats, clothes, patterns, shoes and bags; images in pose, side, box, background
    and what stands in front; cameras in site, direction, colour cast, contrast, sharpness, noise and JPEG quality.
    As in Market-1501 one image of each test identity and camera is a query. Images are drawn when they are read.
    """
    first, rest = range(1), range(1, images_per_camera)
    train, test = range(train_identities), range(MOST_PEOPLE, MOST_PEOPLE + test_identities)

    def samples(people: Iterable[int], indices: Iterable[int]) -> tuple[Sample, ...]:
        return tuple(
            _sample(Shot(seed, person, camera, index, height))
            for person in people
            for camera in range(cameras)
            for index in indices
        )

    return ReidData(
        "synthetic",
        train=samples(train, range(images_per_camera)),
        query=samples(test, first),
        gallery=samples(test, rest),
        train_identities=tuple(train),
    )


def _sample(shot: Shot) -> Sample:
    name = f"{shot.person:04d}_c{shot.camera + 1}_{shot.index:04d}"
    return Sample(shot, name, shot.person, shot.camera)
