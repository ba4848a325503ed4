"""What holds for every registered transform; whoever adds one gets these tests."""

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.data.draws import Draw
from reidctl.data.loader import TrainBatches
from reidctl.data.samplers import RandomSampler
from reidctl.registry import transforms
from reidctl.types import Sample
from reidctl.validation import model_of_signature

EVERY = transforms.names()
CERTAIN = {"resize", "random_flip", "random_gray"}
"""With p = 1 there is one result."""
RANDOM = [name for name in EVERY if "p" in transforms.parameters(name).model_fields]

Build = Callable[..., Any]


def surely(build: Build, name: str) -> Any:
    """The transform, acting on every image."""
    return build(name, **({"p": 1.0} if name in RANDOM else {}))


def test_all_but_the_resize_act_at_random() -> None:
    assert set(EVERY) - set(RANDOM) == {"resize"}
    assert len(EVERY) >= 16


@pytest.mark.parametrize("name", RANDOM)
def test_probability_0_changes_nothing(name: str, build: Build, source: Image.Image) -> None:
    never = build(name, p=0.0)
    assert all(never(source) is source for _ in range(200))


@pytest.mark.parametrize("name", RANDOM)
def test_an_image_is_changed_with_the_given_probability(name: str, build: Build, source: Image.Image) -> None:
    torch.manual_seed(0)
    often = build(name, p=0.7)
    changed = sum(often(source) is not source for _ in range(400))
    assert 0.6 * 400 < changed < 0.8 * 400


@pytest.mark.parametrize("name", EVERY)
def test_the_same_seed_gives_the_same_image_and_the_source_stays(name: str, build: Build, source: Image.Image) -> None:
    transform = surely(build, name)
    before, images = source.tobytes(), []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        images.append([transform(source) for _ in range(8)])
    first, second, again = ([image.tobytes() for image in batch] for batch in images)
    assert first == again
    assert (first != second) == (name not in CERTAIN)
    assert source.tobytes() == before
    assert {(image.mode, type(image)) for batch in images for image in batch} == {("RGB", Image.Image)}


@pytest.mark.parametrize("name", EVERY)
def test_no_other_generator_and_no_number_of_threads_matters(name: str, build: Build, source: Image.Image) -> None:
    transform, results, threads = surely(build, name), [], torch.get_num_threads()
    try:
        for numpy_seed in (0, 1):
            np.random.seed(numpy_seed)  # the global one, which must not matter
            torch.set_num_threads(1 + numpy_seed)
            torch.manual_seed(3)
            results.append([transform(source).tobytes() for _ in range(5)])
    finally:
        torch.set_num_threads(threads)
    assert results[0] == results[1]


@pytest.mark.parametrize("name", EVERY)
def test_a_copy_through_pickle_does_the_same(name: str, build: Build, source: Image.Image) -> None:
    transform = surely(build, name)
    copy = pickle.loads(pickle.dumps(transform))
    assert copy == transform
    torch.manual_seed(5)
    expected = transform(source)
    torch.manual_seed(5)
    assert copy(source).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", EVERY)
def test_an_epoch_is_the_same_whatever_the_workers_and_the_order(
    name: str, build: Build, samples: tuple[Sample, ...]
) -> None:
    chain = [surely(build, name), build("resize")]

    def batches(workers: int) -> TrainBatches:
        return TrainBatches(samples, chain, RandomSampler([0] * len(samples), 3, seed=4), workers=workers)

    def images(found: TrainBatches, epoch: int) -> list[bytes]:
        return [image.numpy().tobytes() for batch in found.epoch(epoch) for image in batch.images]

    alone, many = batches(0), batches(2)
    first, second = images(alone, 0), images(alone, 1)
    assert images(many, 1) == second
    assert images(many, 0) == first
    many.close()
    for draw in reversed(alone.draws(1)):
        assert alone.image(draw).transpose(2, 0, 1).tobytes() == second[draw.place]


@pytest.mark.parametrize("name", EVERY)
def test_epochs_and_places_differ(name: str, build: Build, samples: tuple[Sample, ...]) -> None:
    chain = [surely(build, name), build("resize")]
    found = TrainBatches(samples, chain, RandomSampler([0] * len(samples), 3, seed=4))
    for draws in ([Draw(epoch, 0, 1) for epoch in range(8)], [Draw(0, place, 1) for place in range(8)]):
        different = len({found.image(draw).tobytes() for draw in draws})
        assert different == 1 if name in CERTAIN else different > 4


@pytest.mark.parametrize("name", EVERY)
def test_the_signature_is_a_schema_that_keeps_the_defaults(name: str) -> None:
    target = transforms.load(name)
    schema = model_of_signature("transform", inspect.signature(target, eval_str=True))
    assert all(field.description for field in schema.model_fields.values())
    settings = schema().model_dump()
    assert {key: getattr(target, key) for key in settings} == settings


@pytest.mark.parametrize("name", EVERY)
def test_the_description_says_where_it_belongs_and_whence_it_comes(name: str) -> None:
    about = inspect.getdoc(transforms.load(name)) or ""
    assert "Place: " in about
    assert "Paper: " in about or "Source: " in about


def test_the_repr_tells_the_parameters(build: Build) -> None:
    assert repr(build("random_padding")) == "RandomPadding(p=0.25, largest=10)"
    assert repr(build("resize")) == "Resize(image_size=(256, 128))"
    assert "samples" not in repr(build("random_patch"))
