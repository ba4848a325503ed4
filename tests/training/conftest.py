from pathlib import Path

import pytest

from tests.training import stand_ins


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, name, part in stand_ins.PARTS:
        stand_ins.register(monkeypatch, registry, name, part)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
