"""The order in which training images are visited, epoch by epoch.

Every order is a pure function of (seed, epoch): no global generator, nothing carried from one epoch to the next.
`identity_groups` and `identity_rows` are the original toolkit's algorithms, draw for draw, on generators passed in.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from reidctl.errors import ConfigError, InputError, UnknownName, suggestion

Labels = Sequence[int] | NDArray[np.int64]
Pools = list[list[int]]


class EpochSampler(Sampler[int]):
    """Indices of one epoch after another, the same for the same (seed, epoch); the base of all samplers here.

    `set_epoch` before each epoch, or every epoch is the same. With num_replicas > 1 the epoch is cut into whole batches
    of batch_size (that of one process) and every process takes each num_replicas-th of them, all the same number; what
    is left over is dropped. len() is the exact number of indices that the epoch yields.
    """

    def __init__(self, labels: Labels, batch_size: int, seed: int, *, num_replicas: int = 1, rank: int = 0) -> None:
        if len(labels) == 0:
            raise InputError("there is no training image to sample")
        self.labels = np.asarray(labels, dtype=np.int64)
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.num_replicas, self.rank = num_replicas, rank
        self._planned: list[int] | None = None

    @abstractmethod
    def plan(self) -> list[int]:
        """The indices of this epoch for all processes together."""

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch, counted from 0."""
        self.epoch, self._planned = epoch, None

    def __iter__(self) -> Iterator[int]:
        return iter(self._share())

    def __len__(self) -> int:
        return len(self._share())

    def _share(self) -> list[int]:
        # Kept, because the length of an epoch may depend on its draws and is asked for more than once.
        if self._planned is None:
            whole = self.plan()
            self._planned = whole if self.num_replicas == 1 else self._every_nth_batch(whole)
        return self._planned

    def _every_nth_batch(self, whole: list[int]) -> list[int]:
        rounds = len(whole) // (self.batch_size * self.num_replicas)
        batches = np.array(whole[: rounds * self.batch_size * self.num_replicas], dtype=np.int64)
        share: list[int] = batches.reshape(rounds, self.num_replicas, self.batch_size)[:, self.rank].ravel().tolist()
        return share


class RandomSampler(EpochSampler):
    """Every image once, in random order."""

    def plan(self) -> list[int]:
        order: list[int] = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.labels)).tolist()
        return order


class _PooledSampler(EpochSampler):
    """What the identity samplers share: the images of each identity, and K of them to a group."""

    def __init__(
        self,
        labels: Labels,
        batch_size: int,
        images_per_identity: int,
        seed: int,
        *,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(labels, batch_size, seed, num_replicas=num_replicas, rank=rank)
        if batch_size % images_per_identity:
            raise ConfigError(
                f"batch size {batch_size} is no multiple of {images_per_identity} images per identity",
                f"take a multiple, such as {max(1, batch_size // images_per_identity) * images_per_identity}",
            )
        self.images_per_identity = images_per_identity

    def pools(self) -> Pools:
        """Fresh lists of the indices of each identity, by ascending label."""
        order = np.argsort(self.labels, kind="stable")
        return [pool.tolist() for pool in np.split(order, np.flatnonzero(np.diff(self.labels[order])) + 1)]

    def generators(self) -> tuple[random.Random, np.random.RandomState]:
        """The two generators of this epoch."""
        return random.Random(f"{self.seed}/{self.epoch}"), np.random.RandomState([self.seed, self.epoch])


class IdentitySampler(_PooledSampler):
    """Batches of P distinct identities with K images each (PK; https://arxiv.org/abs/1703.07737, section 2).

    P = batch_size / K. An identity with fewer than K images gives one group, drawn with replacement; one with more
    gives as many full groups as it has, in separate batches. The epoch ends when fewer than P identities have groups
    left, so its length varies a little from epoch to epoch.
    """

    def plan(self) -> list[int]:
        pools, identities = self.pools(), self.batch_size // self.images_per_identity
        if len(pools) < identities:
            raise InputError(
                f"a batch of {self.batch_size} with {self.images_per_identity} images per identity takes {identities} "
                f"identities, the training images show {len(pools)}",
                f"train.batch_size can be {len(pools) * self.images_per_identity} at most",
            )
        return identity_groups(pools, identities, self.images_per_identity, *self.generators())


class IdentitySamplerV2(_PooledSampler):
    """Rows of K images in random order, cut from the images of all identities laid end to end.

    Every image comes once an epoch, but for N mod K of them. Where an identity's number of images is no multiple of K
    a row straddles two identities, and a batch may hold an identity in several rows: the presets were trained so.
    """

    def plan(self) -> list[int]:
        return identity_rows(self.pools(), self.images_per_identity, *self.generators())


class IdentitySamplerV3(_PooledSampler):
    """The same number q of images of every identity each epoch, in groups of K.

    q is the median number of images per identity, rounded down to a multiple of K, at least K. The epoch is q / K
    rounds through all identities in one random order, so the groups of a batch are distinct identities wherever there
    are enough. Each identity deals its images like a deck of cards, shuffled anew when it runs out: over all epochs
    none of them comes more than once more often than another.
    """

    def plan(self) -> list[int]:
        pools, size = self.pools(), self.images_per_identity
        quota = max(size, int(np.median([len(pool) for pool in pools])) // size * size)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(pools))
        dealt = np.array([self._deal(identity, pools[identity], quota) for identity in order], dtype=np.int64)
        rounds: list[int] = dealt.reshape(len(pools), -1, size).swapaxes(0, 1).ravel().tolist()
        return rounds

    def _deal(self, identity: int, pool: list[int], quota: int) -> list[int]:
        """Cards epoch·quota … (epoch + 1)·quota - 1 of an endless row of shuffled decks."""
        first, begin = divmod(self.epoch * quota, len(pool))
        decks: list[int] = []
        while len(decks) < begin + quota:
            deck = first + len(decks) // len(pool)
            shuffle = np.random.default_rng((self.seed, identity, deck)).permutation(len(pool))
            decks += [pool[card] for card in shuffle]
        return decks[begin : begin + quota]


def identity_groups(
    pools: Pools, identities: int, size: int, shuffler: random.Random, filler: np.random.RandomState
) -> list[int]:
    """Batches of `identities` distinct identities with `size` images each, end to end.

    pools: the images of each identity, left as they are. O(images + batches · identities).
    """
    groups: dict[int, list[list[int]]] = {}
    for identity in _shuffled(range(len(pools)), shuffler):
        images = list(pools[identity])
        if len(images) < size:
            images = filler.choice(images, size=size, replace=True).tolist()
        shuffler.shuffle(images)
        groups[identity] = [images[start : start + size] for start in range(0, len(images) - size + 1, size)]
    left = list(range(len(pools)))
    indices: list[int] = []
    while len(left) >= identities:
        for identity in shuffler.sample(left, identities):
            indices += groups[identity].pop(0)
            if not groups[identity]:
                left.remove(identity)
    return indices


def identity_rows(pools: Pools, size: int, shuffler: random.Random, mixer: np.random.RandomState) -> list[int]:
    """All images but the last (total mod size), in rows of `size` in random order, end to end.

    pools: the images of each identity, shuffled in place, identities in random order before they are cut into rows.
    """
    images: list[int] = []
    for identity in _shuffled(range(len(pools)), shuffler):
        shuffler.shuffle(pools[identity])
        images += pools[identity]
    rows = np.array(images[: len(images) // size * size], dtype=np.int64).reshape(-1, size)
    mixer.shuffle(rows)
    indices: list[int] = rows.ravel().tolist()
    return indices


def _shuffled(identities: Sequence[int], shuffler: random.Random) -> list[int]:
    order = list(identities)
    shuffler.shuffle(order)
    return order


SAMPLERS: dict[str, Callable[..., EpochSampler]] = {
    "identity": IdentitySampler,
    "identity_v2": IdentitySamplerV2,
    "identity_v3": IdentitySamplerV3,
}


def build_sampler(
    name: str,
    labels: Labels,
    batch_size: int,
    images_per_identity: int,
    seed: int,
    *,
    num_replicas: int = 1,
    rank: int = 0,
) -> EpochSampler:
    """The sampler called random, identity, identity_v2 or identity_v3.

    labels [N]: identity of each training image; batch_size: images a step of one process; images_per_identity: K,
    without meaning for random. Raises UnknownName for another name, ConfigError when batch_size is no multiple of K.
    """
    if name == "random":
        return RandomSampler(labels, batch_size, seed, num_replicas=num_replicas, rank=rank)
    if name not in SAMPLERS:
        known = ["random", *SAMPLERS]
        raise UnknownName(f"no sampler named '{name}'", suggestion(name, known, f"known: {', '.join(known)}"))
    return SAMPLERS[name](labels, batch_size, images_per_identity, seed, num_replicas=num_replicas, rank=rank)
