"""The order of training images in which data sets, identities and cameras have equal shares."""

from __future__ import annotations

import random
from collections.abc import Iterator

from reidctl.data.epoch_sampler import Labels, PooledSampler


class BalancedSampler(PooledSampler):
    """Groups of K images of one identity, in equal shares of data sets, identities, cameras and images.

    Of N images in S data sets, each set gives N // K // S groups an epoch, and they take turns group by group. So do
    the identities of a set, in a new random order each time round; the cameras of an identity, image by image,
    likewise; and the images that one camera took of an identity. The turns go on from epoch to epoch: over any number
    of epochs no identity of a set had more than one group more than another, no camera of an identity more than one
    image more than another of its cameras, none of its images was shown more than once more often than another of the
    same camera. A batch shows an identity twice where a new time round begins in it, or the set has too few of them.
    cameras, sources [N]: camera and data set of each image.
    """

    def __init__(
        self,
        labels: Labels,
        batch_size: int,
        images_per_identity: int,
        seed: int,
        *,
        cameras: Labels,
        sources: Labels,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(labels, batch_size, images_per_identity, seed, num_replicas=num_replicas, rank=rank)
        pools: dict[int, dict[int, dict[int, list[int]]]] = {}
        for index, (source, label, camera) in enumerate(zip(sources, self.labels.tolist(), cameras, strict=True)):
            pools.setdefault(int(source), {}).setdefault(label, {}).setdefault(int(camera), []).append(index)
        self._pools = [[[*seen.values()] for seen in people.values()] for _, people in sorted(pools.items())]

    def plan(self) -> list[int]:
        count = len(self.labels) // self.images_per_identity // len(self._pools)
        rows = [self._groups(source, people, count) for source, people in enumerate(self._pools)]
        return [index for turn in zip(*rows, strict=True) for group in turn for index in group]

    def _groups(self, source: int, people: list[list[list[int]]], count: int) -> Iterator[list[int]]:
        """Groups epoch·count … (epoch + 1)·count - 1 of a data set."""
        order, size = _Turns(len(people), self.seed, source), self.images_per_identity
        for number in range(self.epoch * count, (self.epoch + 1) * count):
            person, time = order.turn(number)
            cameras = people[person]
            turns = _Turns(len(cameras), self.seed, source, person)
            seen = [turns.turn(image) for image in range(time * size, (time + 1) * size)]
            yield [self._image(cameras[camera], nth, source, person, camera) for camera, nth in seen]

    def _image(self, pool: list[int], number: int, *whose: int) -> int:
        return pool[_Turns(len(pool), self.seed, *whose).turn(number)[0]]


class _Turns:
    """`count` that take turns without end, in a new random order each time round, drawn from what `whose` they are."""

    def __init__(self, count: int, *whose: int) -> None:
        self._order, self._time, self._whose = list(range(count)), -1, whose

    def turn(self, number: int) -> tuple[int, int]:
        """Whose turn is number `number`, and how many it had before."""
        time, place = divmod(number, len(self._order))
        if time != self._time:
            self._time = time
            self._order.sort()
            random.Random(repr((*self._whose, time))).shuffle(self._order)
        return self._order[place], time
