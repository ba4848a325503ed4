from pathlib import Path
from typing import Any

import pytest

from reidctl.testing import check_index
from tests.plain_index import PlainIndex


def check(kind: type[PlainIndex], folder: Path) -> None:
    check_index(lambda dim: kind(location=str(folder / "index"), dim=dim))


def test_a_loop_over_a_dictionary_keeps_the_contract(tmp_path: Path) -> None:
    check(PlainIndex, tmp_path)


class Forgetful(PlainIndex):
    def _write(self) -> None:
        if not self._file.exists():
            super()._write()


class AnyCamera(PlainIndex):
    def search(self, queries: Any, k: int, *, cameras: Any = None, **span: Any) -> Any:
        return super().search(queries, k, **span)


class AfterTheSearch(PlainIndex):
    """Filters what it found, so that fewer than k are left."""

    def search(self, queries: Any, k: int, *, cameras: Any = None, **span: Any) -> Any:
        found = super().search(queries, k, **span)
        return [[one for one in near if cameras is None or one.sample.camera in cameras] for near in found]


class UntilIncluded(PlainIndex):
    def search(self, queries: Any, k: int, *, until: Any = None, **chosen: Any) -> Any:
        return super().search(queries, k, until=None if until is None else until + 0.5, **chosen)


class Backwards(PlainIndex):
    def search(self, *arguments: Any, **chosen: Any) -> Any:
        return [near[::-1] for near in super().search(*arguments, **chosen)]


class Undeletable(PlainIndex):
    def delete(self, names: Any) -> int:
        return sum(name in self._rows for name in names)


class Appending(PlainIndex):
    def add(self, embeddings: Any, times: Any = None) -> None:
        self._rows |= {f"old {name}": row for name, row in self._rows.items()}
        super().add(embeddings, times)


class Anything(PlainIndex):
    def _require(self, vectors: Any) -> None:
        pass


class Timeless(PlainIndex):
    def add(self, embeddings: Any, times: Any = None) -> None:
        super().add(embeddings)


class Conjured(PlainIndex):
    def __init__(self, *, location: str, dim: int | None = None) -> None:
        super().__init__(location=location, dim=dim or 8)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Forgetful, "holds 0"),
        (AnyCamera, "not the nearest"),
        (AfterTheSearch, "not the nearest"),
        (UntilIncluded, "not the nearest"),
        (Backwards, "not in their order"),
        (Undeletable, "holds 60, not 50"),
        (Appending, "holds 100, not 50"),
        (Anything, "no InputError|could not be broadcast|matmul"),
        (Timeless, "time|not the nearest"),
        (Conjured, "nothing can be opened"),
    ],
)
def test_what_breaks_the_contract_is_found(kind: type[PlainIndex], complaint: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError), match=complaint):
        check(kind, tmp_path)
