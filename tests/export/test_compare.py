import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reidctl.export.compare import TOLERANCES, Difference, difference, tolerance_for

VECTORS = arrays(np.float32, (5, 4), elements=st.floats(-100, 100, width=32, allow_subnormal=False))


def test_figures_of_a_case_worked_by_hand() -> None:
    """Cosines 1, 0 and 0.8; distances 0, sqrt(2) and 1; the spread of a is that of (0, ±2) and (3, 0) around (1, 0)."""
    a = np.array([[0, 2], [0, -2], [3, 0]], np.float32)
    b = np.array([[0, 2], [1, 0], [3, 0]], np.float32)
    found = difference(a, b)
    assert found.cosine_min == pytest.approx(0)
    assert found.cosine_mean == pytest.approx(2 / 3)
    assert found.cosine_p5 == pytest.approx(0.1)  # a tenth of the way from the least, 0, to the next, 1
    assert found.max_abs_diff == pytest.approx(2)
    spread = math.sqrt(((1 + 4) + (1 + 4) + 4) / 3)
    assert found.relative_error == pytest.approx(math.sqrt(1 + 4) / spread)
    # Nearest by angle, the first of two equals. In a: of 0 it is 2, of 1 it is 2, of 2 it is 0; in b: 1, 2 and 1.
    assert found.neighbour_agreement == pytest.approx(1 / 3)


@given(VECTORS)
def test_nothing_is_different_from_itself(vectors: np.ndarray) -> None:
    found = difference(vectors, vectors)
    assert found.max_abs_diff == found.relative_error == 0
    assert found.neighbour_agreement == 1
    if np.linalg.norm(vectors, axis=1).min() > 1e-3:
        assert found.within(TOLERANCES["f32"])


@given(VECTORS, VECTORS, st.sampled_from([0.25, 8.0, 1024.0]))
def test_only_the_largest_difference_depends_on_the_scale(a: np.ndarray, b: np.ndarray, scale: float) -> None:
    one, other = difference(a, b), difference(a * np.float32(scale), b * np.float32(scale))
    assert other.max_abs_diff == pytest.approx(scale * one.max_abs_diff)
    if np.ptp(a, axis=0).max() > 1e-3:
        assert other.relative_error == pytest.approx(one.relative_error, rel=1e-6)
    assert other.cosine_min == pytest.approx(one.cosine_min, abs=1e-9)


def test_networks_whose_embeddings_all_point_one_way_are_told_apart() -> None:
    """The cosines of two such networks are near 1 although nothing of what distinguishes images agrees."""
    rng = np.random.default_rng(0)
    base = np.full(64, 100.0)
    a, b = ((base + rng.standard_normal((10, 64))).astype(np.float32) for _ in range(2))
    found = difference(a, b)
    assert found.cosine_min > 0.999
    assert found.relative_error > 1
    assert not found.within(TOLERANCES["int8"])


def test_one_image_is_measured_against_its_own_length() -> None:
    found = difference(np.array([[3.0, 4.0]], np.float32), np.array([[3.0, 4.5]], np.float32))
    assert found.relative_error == pytest.approx(0.1)
    assert found.neighbour_agreement is None


def test_what_is_not_a_number_is_never_within() -> None:
    fine = Difference(1.0, 1.0, 1.0, 0.0, 0.0, 1.0)
    assert fine.within(TOLERANCES["f32"])
    for field in ("cosine_min", "cosine_mean", "relative_error"):
        assert not replace(fine, **{field: math.nan}).within(TOLERANCES["int8"])


@pytest.mark.parametrize(
    ("precisions", "coarsest"),
    [(("f32", "f32"), "f32"), (("f32", "f16"), "f16"), (("int8", "bf16"), "int8"), (("f16", "f32", "bf16"), "bf16")],
)
def test_the_coarsest_precision_sets_the_tolerance(precisions: tuple[str, ...], coarsest: str) -> None:
    assert tolerance_for(*precisions) is TOLERANCES[coarsest]


def test_coarser_precisions_allow_more() -> None:
    rows = list(TOLERANCES.values())
    for finer, coarser in pairwise(rows):
        assert finer.cosine_min > coarser.cosine_min
        assert finer.cosine_mean > coarser.cosine_mean
        assert finer.relative_error < coarser.relative_error
