"""Random numbers that depend on what they are for and on nothing else."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What is drawn by lot; each has a stream of its own."""

    PERSON = 1
    CAMERA = 2
    SCENE = 3
    SITES = 4
    SHOT = 5


def generator(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """The random numbers of the world `seed` for `purpose`, say of the person with the number given."""
    return np.random.default_rng((seed, purpose, *numbers))
