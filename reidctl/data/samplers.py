"""The order in which training images are visited, epoch by epoch.

Every order is a pure function of (seed, epoch): no global generator, nothing carried from one epoch to the next.
`identity_groups` and `identity_rows` are the original toolkit's algorithms, draw for draw, on generators passed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from reidctl.data.balanced import BalancedSampler
from reidctl.data.epoch_sampler import EpochSampler, Labels, PooledSampler, Pools
from reidctl.errors import InputError, UnknownName, suggestion


class RandomSampler(EpochSampler):
    """Every image once, in random order."""

    def plan(self) -> list[int]:
        order: list[int] = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.labels)).tolist()
        return order


class IdentitySampler(PooledSampler):
    """Batches of P distinct identities with K images each (PK; https://arxiv.org/abs/1703.07737, section 2).

    P = batch_size / K, over all processes together. An identity with fewer than K images gives one group, drawn with
    replacement; one with more gives as many full groups as it has, in separate batches. The epoch ends when fewer than
    P identities have groups left, so its length varies a little from epoch to epoch. No group mixes identities: the one
    to take for losses that compare images.
    """

    def plan(self) -> list[int]:
        batch, pools = self.batch_size * self.num_replicas, self.pools()
        identities = batch // self.images_per_identity
        if len(pools) < identities:
            most = len(pools) // self.num_replicas * self.num_replicas * self.images_per_identity
            raise InputError(
                f"a batch of {batch} with {self.images_per_identity} images per identity takes {identities} "
                f"identities, the training images show {len(pools)}",
                f"train.batch_size can be {most} at most" if most else f"start {len(pools)} processes at most",
            )
        return identity_groups(pools, identities, self.images_per_identity, *self.generators())


class IdentitySamplerV2(PooledSampler):
    """Rows of K images in random order, cut from the images of all identities laid end to end.

    Every image comes once an epoch, but for N mod K of them. Where an identity's number of images is no multiple of K
    a row straddles two identities, and a batch may hold an identity in several rows: the presets were trained so.
    """

    def plan(self) -> list[int]:
        return identity_rows(self.pools(), self.images_per_identity, *self.generators())


class IdentitySamplerV3(PooledSampler):
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
    "balanced": BalancedSampler,
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
    cameras: Labels = (),
    sources: Labels = (),
) -> EpochSampler:
    """The sampler called random, identity, identity_v2, identity_v3 or balanced.

    labels [N]: identity of each training image; batch_size: images a step of one process; images_per_identity: K,
    without meaning for random; cameras, sources [N]: asked for by balanced alone, without them one of each.
    Raises UnknownName for another name, ConfigError when batch_size is no multiple of K.
    """
    if name == "random":
        return RandomSampler(labels, batch_size, seed, num_replicas=num_replicas, rank=rank)
    if name not in SAMPLERS:
        known = ["random", *SAMPLERS]
        raise UnknownName(f"no sampler named '{name}'", suggestion(name, known, f"known: {', '.join(known)}"))
    one = np.zeros(len(labels), dtype=np.int64)
    given = {"cameras": cameras if len(cameras) else one, "sources": sources if len(sources) else one}
    return SAMPLERS[name](
        labels,
        batch_size,
        images_per_identity,
        seed,
        num_replicas=num_replicas,
        rank=rank,
        **(given if name == "balanced" else {}),
    )
