"""The definitions, as slow loops, and small test data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class Trial:
    """Queries and a gallery, in the order that `evaluate_features` takes them."""

    query: np.ndarray
    gallery: np.ndarray
    query_ids: np.ndarray
    gallery_ids: np.ndarray
    query_cams: np.ndarray
    gallery_cams: np.ndarray

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        return self.query, self.gallery, self.query_ids, self.gallery_ids, self.query_cams, self.gallery_cams


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    """Small whole numbers, whose squared distances are exact in float32 and often equal; junk and distractors."""
    queries, images, dim = draw(st.integers(1, 6)), draw(st.integers(1, 25)), draw(st.integers(1, 3))
    vector = st.lists(st.integers(-2, 2), min_size=dim, max_size=dim)

    def column(element: st.SearchStrategy, size: int) -> np.ndarray:
        return np.array(draw(st.lists(element, min_size=size, max_size=size)))

    return Trial(
        column(vector, queries).astype(np.float32),
        column(vector, images).astype(np.float32),
        column(st.integers(-1, 3), queries),
        column(st.integers(-1, 3), images),
        column(st.integers(0, 2), queries),
        column(st.integers(0, 2), images),
    )


def noisy_trial(seed: int, queries: int, images: int, people: int, noise: float, dim: int = 16) -> Trial:
    """Every person a point, every image that point with noise around it; person 0 is a crowd of distractors."""
    random = np.random.default_rng(seed)
    points = random.standard_normal((people + 1, dim))
    query_ids, gallery_ids = random.integers(1, people + 1, queries), random.integers(0, people + 1, images)
    query = points[query_ids] + noise * random.standard_normal((queries, dim))
    gallery = points[gallery_ids] + noise * random.standard_normal((images, dim))
    return Trial(
        query.astype(np.float32),
        gallery.astype(np.float32),
        query_ids,
        gallery_ids,
        random.integers(0, 4, queries),
        random.integers(0, 4, images),
    )


def squared_distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(sum((float(a) - float(b)) ** 2 for a, b in zip(one, other, strict=True)))


def ranked(trial: Trial, query: int, distances: np.ndarray) -> list[tuple[float, bool, int]]:
    """(distance, is a match, position) of what is left of the gallery; among equals the wrong ones come first."""
    left = []
    for image, identity in enumerate(trial.gallery_ids):
        same_person = identity == trial.query_ids[query]
        if identity == -1 or (same_person and trial.gallery_cams[image] == trial.query_cams[query]):
            continue
        left.append((float(distances[query][image]), bool(same_person), image))
    return sorted(left)


def slow_metrics(trial: Trial, distances: np.ndarray, rule: str = "step") -> tuple[list[int], list[float], list[float]]:
    """Rank of the first match, AP and INP of every query that has a match."""
    first, precisions, penalties = [], [], []
    for query in range(len(trial.query_ids)):
        hits = [place for place, (_, match, _) in enumerate(ranked(trial, query, distances), 1) if match]
        if not hits:
            continue
        first.append(hits[0])
        penalties.append(len(hits) / hits[-1])
        precisions.append(slow_average_precision(hits, rule))
    return first, precisions, penalties


def slow_average_precision(hits: list[int], rule: str) -> float:
    """step: mean precision at the hits. trapezoid: area under the curve, place by place (Oxford buildings)."""
    area, recall, precision, found = 0.0, 0.0, 1.0, 0
    for place in range(1, hits[-1] + 1):
        found += place in hits
        new_recall, new_precision = found / len(hits), found / place
        height = new_precision if rule == "step" else (precision + new_precision) / 2
        area += (new_recall - recall) * height
        recall, precision = new_recall, new_precision
    return area


def dense_rerank(original: np.ndarray, queries: int, k1: int, k2: int, share: float) -> np.ndarray:
    """The published algorithm on the whole matrix: original [N, N] distances, the queries first -> [Q, G]."""
    n = len(original)
    d = np.stack([row**2 / (row**2).max() for row in original])
    near = [[int(j) for j in np.argsort(row, kind="stable")] for row in d]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in near[i][: k + 1] if i in near[j][: k + 1]}

    weights = np.zeros((n, n))
    for i in range(n):
        expanded = reciprocal(i, k1)
        for j in reciprocal(i, k1):
            candidates = reciprocal(j, round(k1 / 2))
            if len(candidates & reciprocal(i, k1)) > 2 / 3 * len(candidates):
                expanded |= candidates
        for j in expanded:
            weights[i, j] = np.exp(-d[i, j])
        weights[i] /= weights[i].sum()
    if k2 > 1:
        weights = np.array([np.mean([weights[j] for j in near[i][:k2]], axis=0) for i in range(n)])
    final = np.zeros((queries, n - queries))
    for i in range(queries):
        for g in range(queries, n):
            overlap = np.minimum(weights[i], weights[g]).sum()
            final[i, g - queries] = share * d[i, g] + (1 - share) * (1 - overlap / (2 - overlap))
    return final


def slow_single_shot(trial: Trial, distances: np.ndarray, choose: Callable[[int, int, list[int]], int]) -> np.ndarray:
    """Rank of the match [valid queries, 10] in galleries of one image an identity, nearest images listed first.

    choose(query, draw, positions in the gallery) picks one of an identity's images.
    """
    found = []
    for query in range(len(trial.query_ids)):
        left = ranked(trial, query, distances)
        people: dict[int, list[int]] = {}
        for _, _, image in left:
            people.setdefault(int(trial.gallery_ids[image]), []).append(image)
        if trial.query_ids[query] not in people or trial.query_ids[query] < 0:
            continue
        draws = [{choose(query, draw, images) for images in people.values()} for draw in range(10)]
        found.append([[match for _, match, image in left if image in chosen].index(True) + 1 for chosen in draws])
    return np.array(found)


def pair_lists(trial: Trial, distances: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """(identity, distances to images of the same person, to images of others) of every query with a match."""
    lists = []
    for query, identity in enumerate(trial.query_ids):
        left = ranked(trial, query, distances)
        same, different = ([d for d, match, _ in left if match == wanted] for wanted in (True, False))
        if same:
            lists.append((int(identity), np.array(same), np.array(different)))
    return lists


def slow_threshold(different: np.ndarray, rate: Fraction) -> float:
    """The largest distance of a pair of different people such that at most `rate` of these pairs are closer."""
    ordered = sorted(different)
    return max(d for d in ordered if sum(e < d for e in ordered) <= rate * len(ordered))
