import inspect
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.transforms.color import ColorJitter, RandomGray
from reidctl.transforms.erase import RandomErase
from reidctl.transforms.figures import RandomFigures
from reidctl.transforms.geometry import RandomCrop, RandomFlip, RandomPadding, RandomRotate, Resize
from reidctl.transforms.grid import RandomGrid
from reidctl.validation import model_of_signature

SIZE = (256, 128)
RANDOM = [
    lambda p: RandomGrid(p),
    lambda p: RandomFigures(p),
    lambda p: RandomCrop(p, image_size=SIZE),
    lambda p: RandomPadding(p),
    lambda p: RandomFlip(p),
    lambda p: ColorJitter(p),
    lambda p: RandomGray(p),
    lambda p: RandomRotate(p),
    lambda p: RandomErase(p),
]
EVERY = [*(make(1.0) for make in RANDOM), Resize(image_size=SIZE)]


def name(transform: object) -> str:
    return type(transform).__name__


@pytest.mark.parametrize("make", RANDOM, ids=lambda make: name(make(1.0)))
def test_probability_0_changes_nothing(make, source: Image.Image) -> None:
    never = make(0.0)
    assert all(never(source) is source for _ in range(200))


@pytest.mark.parametrize("make", RANDOM, ids=lambda make: name(make(1.0)))
def test_an_image_is_changed_with_the_given_probability(make, source: Image.Image) -> None:
    torch.manual_seed(0)
    often = make(0.7)
    changed = sum(often(source) is not source for _ in range(400))
    assert 0.6 * 400 < changed < 0.8 * 400


@pytest.mark.parametrize("transform", EVERY, ids=name)
def test_the_same_seed_gives_the_same_image_and_the_source_stays(transform, source: Image.Image) -> None:
    before, images = source.tobytes(), []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        images.append([transform(source) for _ in range(8)])
    first, second, again = ([image.tobytes() for image in batch] for batch in images)
    assert first == again
    assert (first != second) == (name(transform) not in {"Resize", "RandomFlip", "RandomGray"})
    assert source.tobytes() == before
    assert {(image.mode, type(image)) for batch in images for image in batch} == {("RGB", Image.Image)}


@pytest.mark.parametrize("transform", EVERY, ids=name)
def test_no_other_generator_is_used(transform, source: Image.Image) -> None:
    results = []
    for numpy_seed in (0, 1):
        np.random.seed(numpy_seed)  # the global one, which must not matter
        torch.manual_seed(3)
        results.append(transform(source).tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("transform", EVERY, ids=name)
def test_a_copy_through_pickle_does_the_same(transform, source: Image.Image) -> None:
    copy = pickle.loads(pickle.dumps(transform))
    assert copy == transform
    torch.manual_seed(5)
    expected = transform(source)
    torch.manual_seed(5)
    assert copy(source).tobytes() == expected.tobytes()


@pytest.mark.parametrize("transform", EVERY, ids=name)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (64, 200)])
def test_images_of_any_size_are_taken(transform, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 200, 90))
    torch.manual_seed(0)
    for _ in range(30):
        assert min(transform(image).size) >= 1


@pytest.mark.parametrize("transform", EVERY, ids=name)
def test_the_signature_is_a_schema_that_keeps_the_defaults(transform) -> None:
    schema = model_of_signature("transform", inspect.signature(type(transform), eval_str=True))
    assert all(field.description for field in schema.model_fields.values())
    settings = schema().model_dump()
    assert {key: getattr(type(transform), key) for key in settings} == settings


def test_the_repr_tells_the_parameters() -> None:
    assert repr(RandomPadding(0.25)) == "RandomPadding(p=0.25, largest=10)"
    assert repr(Resize(image_size=(256, 128))) == "Resize(image_size=(256, 128))"
