from dataclasses import replace

import pytest

from reidctl.benchmarking import advise, remarks
from reidctl.processor import Processor
from tests.benchmarking.engines import a_row


def test_the_fastest_is_chosen_for_each_goal() -> None:
    rows = [
        a_row(fps=100.0, p50_ms=10.0),
        a_row(fps=300.0, p50_ms=26.0, batch=8, hint="throughput"),
        a_row(fps=50.0, p50_ms=20.0, engine="eager"),
    ]
    throughput, latency = advise(rows)
    assert (throughput.goal, throughput.row) == ("throughput", rows[1])
    assert (latency.goal, latency.row) == ("latency", rows[0])
    assert throughput.reasons == ("eager f32 has 0.17 times its speed",)
    assert latency.reasons == ("eager f32 has 0.50 times its speed",)


def test_latency_is_that_of_the_smallest_batch() -> None:
    rows = [a_row(batch=4, p50_ms=30.0), a_row(batch=8, p50_ms=10.0)]
    assert advise(rows)[1].row == rows[0]


def test_what_loses_accuracy_is_left_out_and_says_so() -> None:
    rows = [
        a_row(fps=100.0, mAP=0.880),
        a_row(fps=190.0, weights="int8", mAP=0.870),
        a_row(fps=150.0, precision="bf16", mAP=0.8795),
    ]
    throughput = advise(rows)[0]
    assert throughput.row == rows[2]
    assert throughput.reasons == (
        "openvino f32, int8 has 1.27 times its speed and loses 0.010 mAP, more than 0.005",
        "openvino f32 has 0.67 times its speed",
    )


def test_int8_that_keeps_its_accuracy_is_chosen() -> None:
    rows = [a_row(fps=100.0, mAP=0.880), a_row(fps=190.0, weights="int8", mAP=0.877)]
    assert advise(rows)[0].row == rows[1]


def test_where_bf16_beats_int8_it_is_chosen() -> None:
    rows = [a_row(fps=100.0), a_row(fps=200.0, precision="bf16"), a_row(fps=150.0, weights="int8")]
    throughput = advise(rows)[0]
    assert throughput.row == rows[1]
    assert throughput.reasons[-1] == "what it costs in accuracy was not measured: give --data"


@pytest.mark.parametrize(("spread", "chosen"), [(0.0, 1), (0.2, 0)])
def test_of_equally_fast_ways_the_more_exact_is_taken(spread: float, chosen: int) -> None:
    rows = [a_row(fps=100.0, spread=spread), a_row(fps=110.0, spread=spread, weights="int8")]
    throughput = advise(rows)[0]
    assert throughput.row == rows[chosen]
    if not chosen:
        assert throughput.reasons == (
            "openvino f32, int8 has 1.10 times its speed, no more than noise, and is less exact",
        )


def test_models_are_advised_on_apart_and_broken_rows_not_at_all() -> None:
    rows = [
        a_row(model="b"),
        a_row(model="a", fps=1.0),
        a_row(model="c", error="it broke"),
        a_row(model="b", fps=200.0),
    ]
    found = advise(rows)
    assert [(one.row.what.model, one.goal) for one in found] == [
        ("b", "throughput"),
        ("b", "latency"),
        ("a", "throughput"),
        ("a", "latency"),
    ]
    assert found[0].row == rows[3]


def test_a_way_whose_accuracy_could_not_be_measured_is_not_advised() -> None:
    fast = replace(a_row(weights="int8", fps=300.0), error="no accuracy: it broke")
    assert advise([a_row(mAP=0.8), fast])[0].row.what.weights is None
    assert advise([fast]) == []


def test_ways_are_compared_from_the_same_start() -> None:
    rows = [a_row(fps=500.0, start="frames"), a_row(fps=100.0), a_row(fps=300.0, start="jpeg")]
    assert advise(rows)[0].row == rows[1]


def test_a_processor_is_told_what_it_lacks() -> None:
    plain = Processor("Plain", 2, ("avx2",))
    bf16, int8 = remarks(plain)
    assert bf16.startswith("this CPU (Plain: avx2) has no instructions for bf16")
    assert "INT8" in int8
    assert remarks(Processor("AMX", 2, ("avx512_vnni", "amx_bf16", "amx_int8"))) == []
    assert len(remarks(Processor("VNNI", 2, ("avx_vnni",)))) == 1
    assert remarks(Processor("no Linux", 2, ())) == []
