import math

import numpy as np
import pytest

from reidctl.benchmarking.rows import summary
from reidctl.benchmarking.worker import Round
from tests.benchmarking.engines import a_row


def a_round(rate: float, latencies: list[float], load_s: float = 1.0, memory: float | None = 100.0) -> Round:
    return Round("f16", rate, latencies, 0.5 / rate, load_s, memory, 4, 2)


def percentile(values: list[float], share: float) -> float:
    """Hyndman and Fan's definition 7, written out: between the two values whose places enclose (n - 1) · share."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def test_percentiles_are_of_all_batches_of_all_repeats() -> None:
    rng = np.random.default_rng(0)
    parts = [list(rng.exponential(0.01, count)) for count in (7, 50, 101)]
    found = summary([a_round(10, part) for part in parts])
    together = [1000 * value for part in parts for value in part]
    assert found.p50_ms == pytest.approx(percentile(together, 0.50))
    assert found.p95_ms == pytest.approx(percentile(together, 0.95))
    assert found.p99_ms == pytest.approx(percentile(together, 0.99))


def test_repeats_become_one_row() -> None:
    found = summary([a_round(100, [0.01], 3.0, 90.0), a_round(80, [0.03], 1.0, 120.0), a_round(120, [0.02], 2.0, None)])
    assert found.fps == 100
    assert found.spread == pytest.approx(0.4)  # from 80 to 120, of 100
    assert found.p50_ms == pytest.approx(20)
    assert found.load_s == 2.0
    assert found.cpu_ms == pytest.approx(5.0)  # of 4.2, 5 and 6.3
    assert found.memory_mib == 120.0
    assert (found.weights, found.requests, found.streams) == ("f16", 4, 2)


def test_a_system_that_tells_no_memory_gets_none() -> None:
    assert summary([a_round(1, [1.0], memory=None)]).memory_mib is None


def test_rows_are_plain_values_with_the_same_keys() -> None:
    good, bad = a_row(mAP=0.8).as_dict(), a_row(error="it broke", streams=3).as_dict()
    assert list(good) == list(bad)
    assert (good["fps"], good["mAP"], good["rank1"], good["data"]) == (100.0, 0.8, pytest.approx(0.85), "drawn")
    assert (good["weights"], good["streams"]) == ("f32", 1)
    assert (bad["error"], bad["fps"], bad["mAP"], bad["streams"]) == ("it broke", None, None, 3)


@pytest.mark.parametrize(("spread", "noisy"), [(0.05, False), (0.11, True)])
def test_a_row_whose_repeats_are_far_apart_is_noisy(spread: float, noisy: bool) -> None:
    assert a_row(spread=spread).noisy is noisy
    assert not a_row(error="it broke").noisy
