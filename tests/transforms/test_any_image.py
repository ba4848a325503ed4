"""Any parameters that are allowed and any image: an RGB image of the documented size, the same for the same seed."""

from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

import pytest
import torch
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic.fields import FieldInfo

from reidctl.registry import transforms
from reidctl.types import Spec
from tests.transforms.conftest import SAMPLES

SIZE = (20, 12)


def legal(annotation: Any, metadata: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    """Values of a parameter's type within its bounds; pairs rise, as all of them here must."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [part for item in arguments[1:] for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return legal(arguments[0], [*inner, *metadata])
    if origin is tuple:
        values = st.tuples(*map(legal, arguments))
        return values.map(lambda pair: tuple(sorted(pair))) if len(arguments) == 2 else values
    if arguments:
        return st.one_of(*map(legal, arguments))
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    bounds = {type(bound): getattr(bound, type(bound).__name__.lower(), None) for bound in metadata}
    low, high = (next((bounds[kind] for kind in kinds if kind in bounds), None) for kinds in ((Ge, Gt), (Le, Lt)))
    if annotation is int:
        return st.integers(low, high)
    return st.floats(low, high, exclude_min=Gt in bounds, exclude_max=Lt in bounds, allow_nan=False)


@pytest.mark.parametrize("name", transforms.names())
@settings(max_examples=60)
@given(data=st.data(), width=st.integers(1, 64), height=st.integers(1, 64), seed=st.integers(0, 2**32 - 1))
def test_every_image_becomes_one_of_the_documented_size(
    name: str, data: st.DataObject, width: int, height: int, seed: int
) -> None:
    fields = transforms.parameters(name).model_fields
    values = data.draw(st.fixed_dictionaries({key: legal(f.annotation, f.metadata) for key, f in fields.items()}))
    if "p" in values:
        values["p"] = 1.0
    transform = transforms.build(Spec(name=name, **values), image_size=SIZE, samples=SAMPLES)
    generator = torch.Generator().manual_seed(seed)
    image = Image.fromarray(torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator).numpy())
    results = []
    for _ in range(2):
        torch.manual_seed(seed)
        results.append(transform(image))
    found = results[0]
    assert found.mode == "RGB"
    assert found.tobytes() == results[1].tobytes()
    if name == "resize":
        assert found.size == SIZE[::-1]
    elif name == "random_crop":
        assert 1 <= found.width <= width
        assert 1 <= found.height <= height
    elif name == "random_padding":
        assert width <= found.width <= width + 2 * values["largest"]
        assert height <= found.height <= height + 2 * values["largest"]
    else:
        assert found.size == (width, height)
