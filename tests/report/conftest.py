"""A small data set with embeddings made up, and its report."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from reidctl.report import TargetReport, analyse_in_full, examine
from reidctl.types import Embeddings, Sample

PEOPLE, CAMERAS = 12, 3


def part(kind: str, noise: float, seed: int) -> Embeddings:
    """An image of every person by every camera: a colour of its own, and a point with noise around the person's."""
    points = np.random.default_rng(0).standard_normal((PEOPLE, 8))
    random = np.random.default_rng(seed)
    samples, vectors = [], []
    for person in range(PEOPLE):
        for camera in range(CAMERAS):
            color = (20 * person, 80 * camera, 120 if kind == "q" else 40)
            picture = partial(Image.new, "RGB", (16, 32), color)
            samples.append(Sample(picture, f"{kind}{person}_c{camera}", person + 1, camera))
            vectors.append(points[person] + noise * random.standard_normal(8))
    return Embeddings(np.array(vectors, np.float32), tuple(samples))


@pytest.fixture(scope="session")
def report() -> TargetReport:
    """One data set under a name that HTML must escape; one query has no match."""
    query, gallery = part("q", 0.8, 1), part("g", 0.8, 2)
    alone = Sample(partial(Image.new, "RGB", (16, 32)), "alone", 99, 0)
    query = Embeddings(np.vstack([query.vectors, np.ones((1, 8), np.float32)]), (*query.samples, alone))
    return examine("Market & <co>", query, gallery, analyse_in_full(query, gallery))
