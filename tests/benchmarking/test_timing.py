from collections.abc import Iterator
from time import perf_counter, process_time

import numpy as np
import pytest
from numpy.typing import NDArray

from reidctl.benchmarking.timing import timed
from tests.benchmarking.engines import PAUSE_S, OneByOne, TwoAtOnce

BATCH = np.zeros((1, 4, 4, 3), np.uint8)


def batches(lead_s: float = 0.0) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Batches that began so long before they were handed over."""
    while True:
        yield perf_counter() - lead_s, BATCH


def test_one_batch_at_a_time_is_no_faster_than_its_engine() -> None:
    engine = OneByOne()
    found = timed(engine, batches(), 0.1)
    assert len(found.latencies) == engine.seen > 1
    assert min(found.latencies) >= PAUSE_S
    assert 0 < found.rate <= 1 / PAUSE_S


def test_one_at_a_time_rate_and_latency_tell_the_same() -> None:
    found = timed(OneByOne(), batches(), 0.1)
    # Nothing but the batches happens, so that the rate is at most that of the mean latency.
    assert found.rate <= 1 / np.mean(found.latencies) * 1.001


def test_two_at_once_are_at_most_twice_as_fast() -> None:
    engine = TwoAtOnce()
    found = timed(engine, batches(), 0.1)
    assert len(found.latencies) == engine.seen > 2
    assert min(found.latencies) >= PAUSE_S
    assert 0 < found.rate <= 2 / PAUSE_S


def test_a_batch_begins_when_its_source_says() -> None:
    for engine in (OneByOne(), TwoAtOnce()):
        assert min(timed(engine, batches(lead_s=5.0), 0.02).latencies) >= 5.0


@pytest.mark.parametrize("engine", [OneByOne(), TwoAtOnce()])
def test_no_time_is_enough_for_one_batch(engine: OneByOne) -> None:
    found = timed(engine, batches(), 0)
    assert len(found.latencies) == 1
    assert found.rate > 0


def test_what_ends_after_the_time_is_up_does_not_slow_the_rate() -> None:
    class Late(OneByOne):
        """Ten batches at once, the last of which takes as long again as all the time."""

        def embed_stream(self, drawn, done) -> None:  # type: ignore[no-untyped-def]
            for index, _ in enumerate(drawn):
                if index < 10:
                    done(index, None)
                else:
                    while perf_counter() - started < 0.2:
                        pass
                    done(index, None)
                    return

    started = perf_counter()
    found = timed(Late(), batches(), 0.1)
    # 11 batches in 0.2 s would be 55 a second; the ten that ended in time took next to none.
    assert found.rate > 100
    assert max(found.latencies) > 0.1


def test_processor_time_is_that_of_this_process_alone() -> None:
    class Busy(OneByOne):
        def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            until = process_time() + 0.02
            while process_time() < until:
                pass
            return np.zeros((1, 1), np.float32)

    assert timed(Busy(), batches(), 0.1).cpu >= 0.02
    # Asleep it takes none, however long the batch.
    assert timed(OneByOne(), batches(), 0.1).cpu < PAUSE_S
