import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from reidctl.data.samplers import SAMPLERS, build_sampler, identity_groups, identity_rows
from reidctl.errors import ConfigError, InputError, UnknownName

ORIGINAL = json.loads((Path(__file__).parents[1] / "parity" / "samplers.json").read_text())
COUNTS = ORIGINAL["counts_per_pid"]
LABELS = [identity for identity, count in enumerate(COUNTS) for _ in range(count)]
NAMES = ["random", *SAMPLERS]


def pools() -> list[list[int]]:
    return [[index for index, label in enumerate(LABELS) if label == identity] for identity in range(len(COUNTS))]


def groups_of(indices: list[int], size: int) -> list[list[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def test_groups_are_those_of_the_original_epoch_after_epoch() -> None:
    shuffler, filler = random.Random(0), np.random.RandomState(0)
    for epoch in ORIGINAL["results"]["RandomIdentitySampler"]["epochs"]:
        assert identity_groups(pools(), 2, 4, shuffler, filler) == epoch


def test_rows_are_those_of_the_original_epoch_after_epoch() -> None:
    shuffler, mixer, images = random.Random(0), np.random.RandomState(0), pools()
    for epoch in ORIGINAL["results"]["RandomIdentitySamplerV2"]["epochs"]:
        assert identity_rows(images, 4, shuffler, mixer) == epoch


def in_rounds(indices: list[int]) -> bool:
    """K = 4: whole groups of one identity, all identities in the same order round after round."""
    identities = [[LABELS[index] for index in group] for group in groups_of(indices, 4)]
    order = [group[0] for group in identities]
    rounds = groups_of(order, len(COUNTS))
    return all(len(set(group)) == 1 for group in identities) and all(
        each == rounds[0] and sorted(each) == list(range(len(COUNTS))) for each in rounds
    )


def test_v3_has_the_rounds_of_the_original() -> None:
    original = ORIGINAL["results"]["RandomIdentitySamplerV3"]
    sampler = build_sampler("identity_v3", LABELS, 8, 4, seed=0)
    assert len(sampler) == original["len"] == len(original["epochs"][0])
    orders = set()
    for epoch in range(5):
        sampler.set_epoch(epoch)
        indices = list(sampler)
        assert in_rounds(indices)
        orders.add(tuple(LABELS[index] for index in indices))
    assert in_rounds(original["epochs"][0])
    assert len(orders) == 5


def test_v3_deals_every_image_of_an_identity_equally_often() -> None:
    sampler = build_sampler("identity_v3", LABELS, 8, 4, seed=0)
    times: Counter[int] = Counter()
    for epoch in range(7):
        sampler.set_epoch(epoch)
        times.update(sampler)
        for identity, pool in enumerate(pools()):
            dealt = [times[index] for index in pool]
            assert max(dealt) - min(dealt) <= 1, identity
            assert sum(dealt) == 4 * (epoch + 1)


def test_v3_rounds_the_median_down_to_whole_groups() -> None:
    labels = [0] * 7 + [1] * 11 + [2] * 30
    assert len(build_sampler("identity_v3", labels, 4, 4, seed=0)) == 3 * 8
    assert len(build_sampler("identity_v3", [0, 1, 1, 2], 4, 4, seed=0)) == 3 * 4


def test_identity_batches_show_p_distinct_identities_with_k_images() -> None:
    sampler = build_sampler("identity", LABELS, 8, 4, seed=3)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        indices = list(sampler)
        assert all(
            sorted(Counter(LABELS[index] for index in batch).values()) == [4, 4] for batch in groups_of(indices, 8)
        )
        used = Counter(indices)
        rich = [index for index in range(len(LABELS)) if COUNTS[LABELS[index]] >= 4]
        assert max(used[index] for index in rich) == 1


def test_identity_length_is_exact_where_the_original_estimated_it() -> None:
    # The largest identity has groups left when all others have none: 13 of 16 groups at most fit into pairs.
    labels = [0] * 52 + [1] * 4 + [2] * 4 + [3] * 4
    sampler = build_sampler("identity", labels, 8, 4, seed=0)
    estimate = sum(max(labels.count(identity), 4) // 4 * 4 for identity in range(4))
    assert len(list(sampler)) == len(sampler) < estimate


def test_v2_shows_every_image_once_but_for_the_rest() -> None:
    sampler = build_sampler("identity_v2", [*LABELS, 10, 10, 10], 8, 4, seed=0)
    indices = list(sampler)
    assert len(indices) == len(sampler) == 60
    assert len(set(indices)) == 60
    mixed = [len({LABELS[index] for index in row if index < 60}) for row in groups_of(indices, 4)]
    assert max(mixed) > 1  # rows straddle identities


def test_random_shows_every_image_once() -> None:
    sampler = build_sampler("random", LABELS, 8, 4, seed=0)
    assert sorted(sampler) == list(range(60))
    assert list(sampler) != list(range(60))


@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_is_a_function_of_seed_and_epoch_alone(name: str) -> None:
    def epoch(seed: int, number: int) -> list[int]:
        random.seed(number)  # the global generators, which must not matter
        np.random.seed(number + seed)
        sampler = build_sampler(name, LABELS, 8, 4, seed=seed)
        sampler.set_epoch(number)
        return list(sampler)

    sampler = build_sampler(name, LABELS, 8, 4, seed=1)
    assert list(sampler) == list(sampler) == epoch(1, 0)
    for number in (0, 1, 2):
        sampler.set_epoch(number)
        assert list(sampler) == epoch(1, number)
    assert len({tuple(epoch(seed, number)) for seed in (0, 1) for number in (0, 1)}) == 4


@pytest.mark.parametrize("name", NAMES)
def test_global_generators_are_left_alone(name: str) -> None:
    python_state, numpy_state = random.getstate(), np.random.get_state()[1].copy()
    list(build_sampler(name, LABELS, 8, 4, seed=0))
    assert random.getstate() == python_state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    counts=st.lists(st.integers(1, 13), min_size=3, max_size=12),
    size=st.integers(1, 4),
    replicas=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_replicas_share_the_batches_of_one_epoch(
    name: str, counts: list[int], size: int, replicas: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)) * 7, counts)
    batch = size
    whole = list(build_sampler(name, labels, batch * replicas, size, seed))
    shares = [build_sampler(name, labels, batch, size, seed, num_replicas=replicas, rank=r) for r in range(replicas)]
    batches = [groups_of(list(share), batch) for share in shares]
    if replicas == 1:
        assert batches[0] == groups_of(whole, batch)
        return
    assert [len(share) for share in shares] == [len(each) * batch for each in batches], "all take as many steps"
    assert {len(each) for each in batches} == {len(whole) // (batch * replicas)}
    together = [each[step] for step in range(len(batches[0])) for each in batches]
    assert together == groups_of(whole, batch)[: len(together)]


def test_a_group_stays_with_one_process_and_a_step_shows_distinct_identities() -> None:
    shares = [list(build_sampler("identity", LABELS, 8, 4, seed=0, num_replicas=3, rank=rank)) for rank in range(3)]
    for step in zip(*(groups_of(share, 8) for share in shares), strict=True):
        groups = [group for part in step for group in groups_of(part, 4)]
        people = [{LABELS[index] for index in group} for group in groups]
        assert [len(each) for each in people] == [1] * 6
        assert len(set.union(*people)) == 6


def world(counts: list[list[list[int]]]) -> tuple[list[int], list[int], list[int]]:
    """counts[source][identity][camera] -> labels, cameras and sources of as many images, no two numbers in common."""
    rows, label, camera = [], 0, 0
    for source, people in enumerate(counts):
        for person in people:
            rows += [(label, camera + c, source) for c, images in enumerate(person) for _ in range(images)]
            label += 1
        camera += max(map(len, people))
    labels, cameras, sources = zip(*rows, strict=True)
    return list(labels), list(cameras), list(sources)


def is_even(counts: list[int]) -> bool:
    return max(counts) - min(counts) <= 1


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3), min_size=2, max_size=5), min_size=1, max_size=3
    ),
    size=st.integers(1, 4),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_balanced_gives_equal_shares_of_data_sets_identities_cameras_and_images(
    counts: list[list[list[int]]], size: int, epochs: int, seed: int
) -> None:
    labels, cameras, sources = world(counts)
    sampler = build_sampler("balanced", labels, size, size, seed, cameras=cameras, sources=sources)
    shown: list[int] = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert len(order) == len(labels) // size // len(counts) * len(counts) * size
        for turn, group in enumerate(groups_of(order, size)):
            assert len({labels[index] for index in group}) == 1
            assert sources[group[0]] == turn % len(counts), "data sets take turns"
        shown += order
    times = Counter(shown)
    for source in range(len(counts)):
        of_source = {label for label, own in zip(labels, sources, strict=True) if own == source}
        groups = [sum(times[i] for i, label in enumerate(labels) if label == each) // size for each in of_source]
        assert is_even(groups)
    for label in set(labels):
        seen = {cameras[i] for i, each in enumerate(labels) if each == label}
        by_camera = [[times[i] for i, each in enumerate(labels) if (each, cameras[i]) == (label, c)] for c in seen]
        assert is_even([sum(images) for images in by_camera])
        assert all(is_even(images) for images in by_camera)


def test_balanced_shows_a_small_data_set_as_often_as_a_large_one() -> None:
    labels, cameras, sources = world([[[20, 4]] * 30, [[2, 2, 1]] * 4])
    sampler = build_sampler("balanced", labels, 16, 4, 0, cameras=cameras, sources=sources)
    order = list(sampler)
    shares = Counter(sources[index] for index in order)
    assert shares[0] == shares[1] == len(labels) // 4 // 2 * 4
    assert is_even([*Counter(cameras[index] for index in order if sources[index] == 0).values()])
    for batch in groups_of(order, 16):
        assert Counter(sources[index] for index in batch) in ({0: 8, 1: 8}, {0: len(batch) // 2, 1: len(batch) // 2})


def test_balanced_reaches_every_image() -> None:
    labels, cameras, sources = world([[[5, 1], [3], [2, 2]], [[4], [1, 1]]])
    sampler = build_sampler("balanced", labels, 4, 2, 3, cameras=cameras, sources=sources)
    seen: set[int] = set()
    for epoch in range(12):
        sampler.set_epoch(epoch)
        seen.update(sampler)
    assert seen == set(range(len(labels)))


@pytest.mark.parametrize("name", NAMES)
def test_a_loader_makes_the_batches(name: str) -> None:
    sampler = build_sampler(name, LABELS, 8, 4, seed=0)
    loader = DataLoader(LABELS, batch_size=8, sampler=sampler, drop_last=True)
    assert len(list(loader)) == len(loader) == len(sampler) // 8


def test_labels_may_come_in_any_order_and_with_gaps() -> None:
    labels = [40, 3, 40, 7, 3, 7, 40, 3]
    for batch in groups_of(list(build_sampler("identity", labels, 4, 2, seed=0)), 4):
        assert len({labels[index] for index in batch[:2]}) == len({labels[index] for index in batch[2:]}) == 1


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no sampler named 'identty'") as error:
        build_sampler("identty", LABELS, 8, 4, seed=0)
    assert error.value.hint == "did you mean 'identity'?"


@pytest.mark.parametrize(("batch_size", "near"), [(10, "8"), (3, "4")])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_that_cuts_a_group_is_refused(name: str, batch_size: int, near: str) -> None:
    with pytest.raises(ConfigError, match=f"batch size {batch_size} is no multiple of 4") as error:
        build_sampler(name, LABELS, batch_size, 4, seed=0)
    assert error.value.hint == f"take a multiple, such as {near}"


def test_too_few_identities_for_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match="takes 16 identities, the training images show 10") as error:
        list(build_sampler("identity", LABELS, 64, 4, seed=0))
    assert error.value.hint == "train.batch_size can be 40 at most"


def test_what_a_batch_can_be_is_told_of_all_processes_together() -> None:
    with pytest.raises(InputError, match=r"a batch of 64 .* takes 16 identities") as error:
        list(build_sampler("identity", LABELS, 32, 4, seed=0, num_replicas=2))
    assert error.value.hint == "train.batch_size can be 40 at most"
    with pytest.raises(InputError) as error:
        list(build_sampler("identity", LABELS, 4, 4, seed=0, num_replicas=12))
    assert error.value.hint == "start 10 processes at most"


@pytest.mark.parametrize("name", NAMES)
def test_no_images_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="no training image"):
        build_sampler(name, [], 8, 4, seed=0)
