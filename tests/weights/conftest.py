from pathlib import Path

import pytest
import torch

from tests.training import stand_ins
from tests.training.stand_ins import Tiny


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, name, part in stand_ins.PARTS:
        stand_ins.register(monkeypatch, registry, name, part)


@pytest.fixture
def model() -> Tiny:
    """The network that weights are loaded into."""
    torch.manual_seed(0)
    return Tiny(image_size=(32, 16))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Weights of the same network, other ones."""
    torch.manual_seed(1)
    return dict(Tiny(image_size=(32, 16)).state_dict())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.bin"
