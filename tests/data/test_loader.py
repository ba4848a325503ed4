from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reidctl.config.schema import DataConfig
from reidctl.data import loader as loading
from reidctl.data.draws import Draw, derived_seed
from reidctl.data.loader import Batch, TrainBatches, build_transforms, normalize, train_batches
from reidctl.data.reading import PART, AugmentedImages, BatchReader
from reidctl.data.samplers import SAMPLERS, RandomSampler, build_sampler
from reidctl.errors import ConfigError, InputError, PluginError
from reidctl.types import ImageSpec, ReidData, Sample, Spec

SIZE = (24, 16)


def _solid(value: int) -> Image.Image:
    return Image.new("RGB", (16, 24), (value, 255 - value, 7))


SAMPLES = tuple(Sample(partial(_solid, k), f"s{k}", k // 2, 0) for k in range(22))


@dataclass(frozen=True)
class Stamp:
    """Writes two random bytes into the first pixel."""

    def __call__(self, image: Image.Image) -> Image.Image:
        image = image.copy()
        image.putpixel((0, 0), (*torch.randint(0, 256, (2,)).tolist(), 0))
        return image


def _batches(
    transforms: Sequence[Any] = (Stamp(),), workers: int = 0, seed: int = 3, samples: Any = SAMPLES
) -> TrainBatches:
    labels = [sample.identity for sample in samples]
    return TrainBatches(samples, transforms, RandomSampler(labels, 4, seed), workers=workers)


def _bytes(batches: list[Batch]) -> list[tuple[bytes, list[int], list[int]]]:
    return [(batch.images.numpy().tobytes(), batch.labels.tolist(), batch.indices) for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_the_pictures_and_labels_of_the_order(workers: int) -> None:
    batches = _batches((), workers)
    order = RandomSampler([0] * 22, 4, 3)
    for epoch in (0, 1):
        order.set_epoch(epoch)
        found = list(batches.epoch(epoch))
        assert len(found) == batches.steps(epoch) == 5, "22 images are five batches of 4 and a rest"
        assert [index for batch in found for index in batch.indices] == list(order)[:20]
        for batch in found:
            assert batch.images.shape == (4, 3, *SIZE)
            assert (batch.images.dtype, batch.labels.dtype) == (torch.uint8, torch.int64)
            assert batch.images.is_contiguous(memory_format=torch.channels_last)
            assert batch.labels.tolist() == [index // 2 for index in batch.indices]
            for image, index in zip(batch.images, batch.indices, strict=True):
                assert torch.equal(image, torch.from_numpy(np.array(_solid(index))).permute(2, 0, 1))


def test_augmentation_does_not_depend_on_the_workers_or_on_what_was_drawn_before() -> None:
    alone, many = _batches(), _batches(workers=2)
    epochs = [_bytes(list(alone.epoch(epoch))) for epoch in (0, 1)]
    torch.rand(5)
    assert _bytes(list(many.epoch(1))) == epochs[1]
    assert _bytes(list(many.epoch(0))) == epochs[0]
    assert epochs[0] != epochs[1]
    assert _bytes(list(_batches(seed=4).epoch(0))) != epochs[0]


def test_each_place_of_each_epoch_has_its_own_augmentation() -> None:
    batches = _batches()
    stamps = [tuple(image[:2, 0, 0].tolist()) for epoch in range(3) for b in batches.epoch(epoch) for image in b.images]
    # 60 of 65,536 stamps: two equal ones are a matter of 1 in 37.
    assert len(set(stamps)) >= 58


def test_one_draw_is_the_image_that_its_batch_holds_in_any_order() -> None:
    batches = _batches()
    draws = batches.draws(1)
    assert [draw.place for draw in draws] == list(range(20)), "the rest that fills no batch is not seen"
    state = torch.get_rng_state()
    alone = {draw.place: batches.image(draw) for draw in reversed(draws)}
    assert torch.equal(torch.get_rng_state(), state)
    images = [image for batch in batches.epoch(1) for image in batch.images.permute(0, 2, 3, 1).numpy()]
    for place, image in enumerate(images):
        np.testing.assert_array_equal(alone[place], image)
    assert [index for batch in batches.epoch(1) for index in batch.indices] == [draw.sample for draw in draws]


def test_an_epoch_can_begin_in_its_middle() -> None:
    batches = _batches(workers=1)
    whole = _bytes(list(batches.epoch(2)))
    assert _bytes(list(batches.epoch(2, first=3))) == whole[3:]
    assert list(batches.epoch(2, first=5)) == []


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(["random", *SAMPLERS]),
    counts=st.lists(st.integers(1, 9), min_size=4, max_size=9),
    epoch=st.integers(0, 3),
    left=st.integers(0, 6),
    rank=st.integers(0, 1),
)
def test_what_is_left_of_an_epoch_is_its_end_with_every_sampler(
    name: str, counts: list[int], epoch: int, left: int, rank: int
) -> None:
    people = [identity for identity, count in enumerate(counts) for _ in range(count)]
    samples = [Sample(partial(_solid, index), f"s{index}", label, 0) for index, label in enumerate(people)]

    def batches() -> TrainBatches:
        sampler = build_sampler(name, people, 4, 2, 5, num_replicas=2, rank=rank)
        return TrainBatches(samples, (Stamp(),), sampler)

    whole = _bytes(list(batches().epoch(epoch)))
    first = max(0, len(whole) - left)
    assert _bytes(list(batches().epoch(epoch, first=first))) == whole[first:]


@pytest.mark.parametrize("name", ["random", *SAMPLERS])
def test_processes_that_train_together_see_what_one_alone_would(name: str) -> None:
    config = DataConfig(image=ImageSpec(height=24, width=16), sampler=name, images_per_identity=2, workers=0)
    config = config.model_copy(update={"transforms": (Spec(name="resize"), Spec(name="random_noise", p=1.0))})
    data = ReidData("some", SAMPLES)
    alone = train_batches(data, config, batch_size=4, seed=1)
    parts = [train_batches(data, config, batch_size=2, seed=1, num_replicas=2, rank=rank) for rank in range(2)]
    assert alone.steps(1) == parts[0].steps(1) == parts[1].steps(1) > 1
    for whole, *each in zip(alone.epoch(1), *(part.epoch(1) for part in parts), strict=True):
        assert torch.equal(torch.cat([part.images for part in each]), whole.images)
        assert torch.equal(torch.cat([part.labels for part in each]), whole.labels)
        assert [index for part in each for index in part.indices] == whole.indices


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_stays_as_it_is_while_others_are_made(workers: int) -> None:
    batches = _batches(workers=workers)
    kept = [(batch, batch.images.clone()) for epoch in range(3) for batch in batches.epoch(epoch)]
    assert all(torch.equal(batch.images, copy) for batch, copy in kept)


@pytest.mark.parametrize("workers", [0, 1])
def test_images_of_several_sizes_are_refused_with_the_transform_to_move(workers: int) -> None:
    def tall(value: int) -> Image.Image:
        return Image.new("RGB", (16, 24 + value % 2))

    samples = tuple(Sample(partial(tall, k), f"s{k}", k, 0) for k in range(8))
    with pytest.raises(ConfigError, match=r"2[45] × 16 and 2[45] × 16 pixels") as caught:
        list(_batches((), workers, samples=samples).epoch(0))
    assert "resize" in str(caught.value.hint)


def test_an_epoch_left_early_does_not_spill_into_the_next() -> None:
    batches = _batches(workers=2)
    expected = _bytes(list(_batches().epoch(1)))
    next(batches.epoch(0))
    assert _bytes(list(batches.epoch(1))) == expected


def test_an_epoch_that_begins_again_is_the_same() -> None:
    batches = _batches(workers=2)
    expected = _bytes(list(_batches().epoch(0)))
    _, second = islice(batches.epoch(0), 2)
    assert _bytes([second]) == expected[1:2]
    assert _bytes(list(batches.epoch(0))) == expected


@pytest.mark.parametrize("size", [PART, PART + 1, 2 * PART + 6])
def test_workers_share_large_batches(size: int) -> None:
    samples = [Sample(partial(_solid, k), f"s{k}", k, 0) for k in range(200)]
    alone, many = (
        TrainBatches(samples, (Stamp(),), RandomSampler(range(200), size, 1), workers=workers) for workers in (0, 2)
    )
    for epoch in range(3):
        assert _bytes(list(many.epoch(epoch))) == _bytes(list(alone.epoch(epoch)))


def test_workers_read_the_next_epoch_before_it_is_asked_for(tmp_path: Path) -> None:
    def picture(value: int) -> Image.Image:
        with (tmp_path / "read").open("a") as file:
            file.write("x")
        return _solid(value)

    samples = [Sample(partial(picture, k), f"s{k}", k, 0) for k in range(4)]
    batches = _batches((), workers=1, samples=samples)
    list(batches.epoch(0))
    deadline = time.monotonic() + 60
    # One in this process for the size, four of this epoch; the worker then is two batches ahead.
    while (tmp_path / "read").stat().st_size < 1 + 4 + 2 * 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "read").stat().st_size == 1 + 4 + 2 * 4
    batches.close()


def test_an_image_of_the_next_epoch_that_cannot_be_read_does_not_disturb_this_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    unseen = set(range(22)) - {draw.sample for draw in _batches().draws(0)}
    assert unseen & {draw.sample for draw in _batches().draws(1)}
    samples = [Sample(broken, "broken", 0, 0) if k in unseen else sample for k, sample in enumerate(SAMPLES)]
    batches = _batches(workers=2, samples=samples)
    for _ in range(2):
        assert len(list(batches.epoch(0))) == 5
        with pytest.raises(InputError, match=r"broken\.jpg"):
            list(batches.epoch(1))


def test_reading_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    batches = _batches()
    iterator = batches.epoch(0)
    next(iterator)
    state = torch.get_rng_state()
    next(iterator)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_named_whichever_process_met_it(tmp_path: Path, workers: int) -> None:
    broken = tmp_path / "0002_c1.jpg"
    broken.write_bytes(b"not a picture")
    samples = (*SAMPLES, Sample(broken, "0002_c1", 11, 0), Sample(broken, "0002_c1", 11, 0))
    with pytest.raises(InputError) as caught:
        list(_batches(workers=workers, samples=samples).epoch(0))
    assert str(broken) in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert caught.value.hint


class Failing:
    def __call__(self, image: Image.Image) -> Image.Image:
        raise ZeroDivisionError("three")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_fails_is_named_with_the_image(workers: int) -> None:
    with pytest.raises(
        PluginError, match=r"transform Failing \(tests\.data\.test_loader\) failed on 's\d+': ZeroDivisionError: three"
    ):
        list(_batches((Failing(),), workers).epoch(0))


def test_transforms_get_the_size_and_resize_comes_first_unless_listed() -> None:
    image = ImageSpec(height=24, width=16)
    named = [type(part).__name__ for part in build_transforms([Spec(name="random_flip")], image, SAMPLES)]
    assert named == ["Resize", "RandomFlip"]
    listed = build_transforms([Spec(name="random_flip"), Spec(name="resize")], image, SAMPLES)
    assert [type(part).__name__ for part in listed] == ["RandomFlip", "Resize"]
    assert listed[1](Image.new("RGB", (5, 5))).size == (16, 24)


def test_the_configuration_chooses_sampler_and_size() -> None:
    config = DataConfig(image=ImageSpec(height=24, width=16), sampler="identity", images_per_identity=2, workers=0)
    batches = train_batches(ReidData("some", SAMPLES), config, batch_size=6, seed=0)
    for batch in batches.epoch(0):
        assert batch.images.shape == (6, 3, 24, 16)
        assert sorted(batch.labels.tolist())[::2] == sorted(set(batch.labels.tolist())), "pairs of three identities"


def test_the_balanced_sampler_gets_the_data_sets_and_cameras() -> None:
    # Identities 0 … 2 are of the first data set, with 6 images, the other 8 of the second.
    samples = tuple(Sample(s.image, s.name, s.identity, k % 2) for k, s in enumerate(SAMPLES))
    config = DataConfig(image=ImageSpec(height=24, width=16), sampler="balanced", images_per_identity=2, workers=0)
    batches = train_batches(ReidData("some", samples, train_sources=(6, 16)), config, batch_size=4, seed=0)
    for batch in batches.epoch(0):
        assert sum(index < 6 for index in batch.indices) == 2
        assert sorted(samples[index].camera for index in batch.indices) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("cores", "gpu", "beside", "workers"),
    [
        *((16, False, 0, 2), (1, False, 0, 2)),
        *((8, True, 0, 7), (64, True, 0, 16), (2, True, 0, 2), (64, True, 7, 7), (1, True, 0, 2)),
    ],
)
def test_as_many_processes_read_as_there_are_cores_for_a_gpu(
    cores: int, gpu: bool, beside: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "usable_cores", lambda: cores)
    made: list[int] = []
    monkeypatch.setattr(loading, "BatchReader", lambda images, *, workers, pin_memory: made.append(workers))
    for wanted, expected in (("auto", workers), (3, 3)):
        config = DataConfig(workers=wanted, images_per_identity=2)
        batches = train_batches(ReidData("some", SAMPLES), config, batch_size=4, seed=0, gpu=gpu, beside=beside)
        with pytest.raises(AttributeError):
            next(batches.epoch(0))
        assert made.pop() == expected


@pytest.mark.parametrize("sampler", ["random", *SAMPLERS])
def test_data_that_fill_no_batch_are_refused(sampler: str) -> None:
    config = DataConfig(sampler=sampler, images_per_identity=2, workers=0)
    with pytest.raises(InputError, match=r"batch"):
        train_batches(ReidData("some", SAMPLES), config, batch_size=48, seed=0)
    with pytest.raises(InputError, match="a batch of 48"):
        train_batches(ReidData("some", SAMPLES), config, batch_size=16, seed=0, num_replicas=3)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_normalisation_is_that_of_the_definition(memory_format: torch.memory_format) -> None:
    spec = ImageSpec()
    images = torch.arange(2 * 3 * 16 * 16).reshape(2, 3, 16, 16).remainder(256).to(torch.uint8)
    images = images.contiguous(memory_format=memory_format)
    before = images.clone()
    found = normalize(images, spec)
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (spec.mean, spec.std))
    np.testing.assert_allclose(found.numpy(), (images.numpy() / 255 - mean) / std, atol=1e-6)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=memory_format)
    assert torch.equal(images, before)


def test_shared_memory_that_is_not_there_is_told_with_the_processes_it_was_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no space left")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    images = AugmentedImages(lambda sample: _solid(sample), [f"s{k}" for k in range(4)], [], 0)
    draws = [Draw(0, place, place % 4) for place in range(4 * PART)]
    with pytest.raises(InputError, match="for the batches of 6 processes: no space left"):
        next(BatchReader(images, workers=6).read([draws]))


def test_seeds_for_different_purposes_differ() -> None:
    purposes = [(kind, epoch, place) for kind in ("image", "step") for epoch in range(20) for place in range(50)]
    assert len({derived_seed(0, *purpose) for purpose in purposes} | {derived_seed(1, *p) for p in purposes}) == 4000
    assert all(0 <= derived_seed(2, *purpose) < 2**32 for purpose in purposes)
    assert derived_seed(0, "image", 1, 23) != derived_seed(0, "image", 12, 3)
