"""Drawn pedestrians: the same everywhere, worth learning, and not to be told apart by their raw pixels."""

import hashlib
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reidctl.data.images import read_image
from reidctl.datasets.synthetic import synthetic
from reidctl.datasets.synthetic.person import person
from reidctl.datasets.synthetic.pose import Pose, View
from reidctl.datasets.synthetic.shot import Shot
from reidctl.types import ReidData, Sample

PINNED = {
    Shot(0, 0, 0, 0, 128): "7649082c560dc274",
    Shot(0, 5004, 4, 2, 128): "2d57d6bd886d7584",
    Shot(7, 11, 3, 1, 192): "33a83b1af5cb177a",
}


def _data(**parameters: Any) -> ReidData:
    return synthetic(**parameters, root=Path())


def _digest(shot: Shot) -> str:
    return hashlib.sha256(shot().tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def data() -> ReidData:
    return _data()


def test_default_counts(data: ReidData) -> None:
    assert (len(data.train), len(data.query), len(data.gallery)) == (4800, 600, 1800)
    assert data.num_identities == 200


def test_every_camera_sees_everybody_equally_often(data: ReidData) -> None:
    def counts(samples: tuple[Sample, ...]) -> dict[tuple[int, int], int]:
        pairs = [(s.identity, s.camera) for s in samples]
        return {pair: pairs.count(pair) for pair in set(pairs)}

    assert set(counts(data.query).values()) == {1}
    assert set(counts(data.gallery[:360]).values()) == {3}
    assert {s.camera for s in data.train} == set(range(6))


def test_one_image_of_each_test_identity_and_camera_is_the_query(data: ReidData) -> None:
    assert len({(s.identity, s.camera) for s in data.query}) == 600
    assert {s.identity for s in data.query} == {s.identity for s in data.gallery}


def test_no_image_and_no_person_is_in_two_parts(data: ReidData) -> None:
    samples = (*data.train, *data.query, *data.gallery)
    assert len({s.image for s in samples}) == len({s.name for s in samples}) == len(samples)
    assert {s.image.person for s in data.train}.isdisjoint(s.image.person for s in data.gallery)


def test_the_test_does_not_depend_on_the_training_set(data: ReidData) -> None:
    smaller = _data(train_identities=3)
    assert (smaller.query, smaller.gallery) == (data.query, data.gallery)


@pytest.mark.parametrize(("shot", "digest"), PINNED.items(), ids=str)
def test_pictures_are_those_that_were_always_drawn(shot: Shot, digest: str) -> None:
    assert _digest(shot) == digest


def test_pictures_do_not_depend_on_order_or_process() -> None:
    shots = list(PINNED)
    script = (
        "import sys, pickle, hashlib\n"
        "for shot in reversed(pickle.load(sys.stdin.buffer)):\n"
        "    print(hashlib.sha256(shot().tobytes()).hexdigest()[:16])"
    )
    done = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(shots), capture_output=True, check=True)
    assert done.stdout.decode().split() == [_digest(shot) for shot in reversed(shots)]
    assert [_digest(shot) for shot in shots] == [_digest(shot) for shot in shots]


def test_every_number_of_a_shot_changes_the_picture() -> None:
    base = Shot(0, 1, 2, 3, 64)
    others = [Shot(1, 1, 2, 3, 64), Shot(0, 2, 2, 3, 64), Shot(0, 1, 3, 3, 64), Shot(0, 1, 2, 4, 64)]
    assert len({_digest(shot) for shot in (base, *others)}) == 5


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 10_000), st.integers(0, 63), st.integers(0, 999), st.integers(32, 200))
@example(1, 0, 0, 0, 32)  # a shop's ware that would end above its top
def test_any_shot_is_a_picture_of_the_asked_size(seed: int, who: int, camera: int, index: int, height: int) -> None:
    image = Shot(seed, who, camera, index, height)()
    assert (image.mode, image.size) == ("RGB", (height // 2, height))
    assert np.asarray(image).std() > 5


def test_a_picture_of_another_height_shows_the_same_scene() -> None:
    small, large = Shot(0, 3, 0, 0, 128)(), Shot(0, 3, 0, 0, 256)()
    difference = np.asarray(small, float) - np.asarray(large.resize(small.size), float)
    assert np.abs(difference).mean() < 16


def test_people_of_a_world_differ_and_worlds_differ() -> None:
    assert len({person(0, number) for number in range(2000)}) == 2000
    assert person(0, 1) != person(1, 1)


def test_a_walker_seen_from_behind_is_mirrored_and_keeps_the_height() -> None:
    front, back = View(0.0, 0.0), View(np.pi, 0.0)
    assert front.project(0.1, 0.0, 0.8) == pytest.approx((0.1, 0.8, 0.0))
    assert back.project(0.1, 0.2, 0.8) == pytest.approx((-0.1, 0.8, -0.2))


@given(st.floats(0, 6.3), st.floats(0, 1), st.floats(-3.2, 3.2), st.floats(0, 0.4))
def test_limbs_keep_their_length_in_every_pose(phase: float, stride: float, yaw: float, pitch: float) -> None:
    pose = Pose(View(yaw, pitch), phase, stride, ("swing", "phone"), 1.0)
    for leg in pose.legs():
        assert np.hypot(leg.hip.x - leg.knee.x, leg.hip.y - leg.knee.y) <= 0.26
        assert np.hypot(leg.knee.x - leg.ankle.x, leg.knee.y - leg.ankle.y) <= 0.26
        assert leg.hip.y > leg.ankle.y
    for arm in pose.arms():
        assert np.hypot(arm.elbow.x - arm.hand.x, arm.elbow.y - arm.hand.y) <= 0.2


@pytest.fixture(scope="module")
def pixels(data: ReidData) -> dict[Sample, np.ndarray]:
    samples = (*data.query, *data.gallery)
    return {s: np.asarray(read_image(s.image).resize((32, 64)), np.float32).ravel() for s in samples}


def _rank1(data: ReidData, features: dict[Sample, np.ndarray]) -> float:
    """Rank-1 of Market-1501, query by query from the definition."""
    gallery = np.stack([features[sample] for sample in data.gallery])
    hits = []
    for query in data.query:
        distances = ((gallery - features[query]) ** 2).sum(1)
        seen = [(d, s) for d, s in zip(distances, data.gallery, strict=True) if not _same_shot(s, query)]
        hits.append(min(seen, key=lambda pair: pair[0])[1].identity == query.identity)
    return float(np.mean(hits))


def _same_shot(a: Sample, b: Sample) -> bool:
    return (a.identity, a.camera) == (b.identity, b.camera)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_raw_pixels_do_not_tell_people_apart(data: ReidData, pixels: dict[Sample, np.ndarray], metric: str) -> None:
    if metric == "cosine":
        pixels = {sample: vector / np.linalg.norm(vector) for sample, vector in pixels.items()}
    assert 0.05 < _rank1(replace(data, query=data.query[::3]), pixels) < 0.4


@pytest.mark.slow
def test_drawing_keeps_up_with_training() -> None:
    shots = [s.image for s in _data().query[:200]]
    for shot in shots[:6]:
        shot()
    start = time.process_time()
    for shot in shots:
        shot()
    assert len(shots) / (time.process_time() - start) > 150
