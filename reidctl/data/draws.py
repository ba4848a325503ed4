"""What an epoch shows, place by place, and the seed of what is drawn there."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Draw(NamedTuple):
    """One place of an epoch's order, that of all processes together, and the training sample that stands there."""

    epoch: int
    place: int
    sample: int


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed of 32 bits, more than which torch's generator does not use, that differs for every purpose."""
    text = "/".join(map(str, (seed, *purpose))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
