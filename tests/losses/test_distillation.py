import itertools
import math

import pytest
import torch
from torch import Tensor

from reidctl.errors import ConfigError
from reidctl.losses.distillation import DistillCosine, DistillGram, DistillRelations, DistillSimilarities

LABELS = torch.tensor([0, 0, 1, 1, 2])


def views(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Embeddings of five images by a network and by its teacher, in spaces of 4 and 7 dimensions."""
    generator = torch.Generator().manual_seed(seed)
    own, teacher = (torch.randn(5, size, generator=generator, dtype=torch.float64) for size in (4, 7))
    return own, teacher


def units(rows: Tensor) -> list[list[float]]:
    return (rows / rows.norm(dim=1, keepdim=True)).tolist()


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 0.5


def test_similarities_are_compared_row_by_row() -> None:
    own, teacher = views()
    total = 0.0
    for i in range(5):
        odds = []
        for rows in (units(teacher), units(own)):
            each = {j: math.exp(cosine(rows[i], rows[j]) / 0.2) for j in range(5) if j != i}
            odds.append({j: value / sum(each.values()) for j, value in each.items()})
        total += sum(odds[0][j] * math.log(odds[0][j] / odds[1][j]) for j in odds[0])
    assert DistillSimilarities(0.2)(own, LABELS, teacher=teacher).item() == pytest.approx(total / 5)


def test_relations_are_distances_over_their_mean_and_angles() -> None:
    own, teacher = views(1)
    pairs = list(itertools.permutations(range(5), 2))
    triples = list(itertools.permutations(range(5), 3))
    distances, angles = [], []
    for rows in (units(own), units(teacher)):
        lengths = {pair: math.dist(rows[pair[0]], rows[pair[1]]) for pair in pairs}
        mean = sum(lengths.values()) / len(lengths)
        distances.append([lengths[pair] / mean for pair in pairs])
        lines = {(i, j): [(a - b) / lengths[i, j] for a, b in zip(rows[i], rows[j], strict=True)] for i, j in pairs}
        angles.append([cosine(lines[i, j], lines[k, j]) for i, j, k in triples])
    far, bent = (sum(huber(a - b) for a, b in zip(*both, strict=True)) / len(both[0]) for both in (distances, angles))
    assert DistillRelations()(own, LABELS, teacher=teacher).item() == pytest.approx(far + 2 * bent)
    assert DistillRelations(0.5, 0.0)(own, LABELS, teacher=teacher).item() == pytest.approx(far / 2)
    with pytest.raises(ConfigError, match="both 0"):
        DistillRelations(0, 0)


def test_gram_compares_matrices_whose_rows_have_unit_length() -> None:
    own, teacher = views(2)
    total = 0.0
    grams = []
    for rows in (units(own), units(teacher)):
        gram = [[cosine(a, b) for b in rows] for a in rows]
        grams.append([[value / math.hypot(*row) for value in row] for row in gram])
    for left, right in zip(*grams, strict=True):
        total += sum((a - b) ** 2 for a, b in zip(left, right, strict=True))
    assert DistillGram()(own, LABELS, teacher=teacher).item() == pytest.approx(total / 25)


@pytest.mark.parametrize("loss", [DistillSimilarities(), DistillRelations(), DistillGram()])
def test_a_network_that_sees_what_its_teacher_sees_has_nothing_to_learn(loss: torch.nn.Module) -> None:
    own, _ = views(3)
    rotation = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q[:4]
    assert loss(own, LABELS, teacher=3 * own @ rotation).item() == pytest.approx(0, abs=1e-12)


def test_cosine_goes_through_a_map_where_the_lengths_differ() -> None:
    own, teacher = (rows.float() for rows in views(4))
    loss = DistillCosine(embedding_dim=4, teacher_dim=7)
    mapped = own @ loss.projection.weight.T
    expected = [1 - cosine(a, b) for a, b in zip(units(mapped), units(teacher), strict=True)]
    assert loss(own, LABELS, teacher=teacher).item() == pytest.approx(sum(expected) / 5, rel=1e-5)
    same = DistillCosine(embedding_dim=4, teacher_dim=4)
    assert list(same.parameters()) == []
    assert same(own, LABELS, teacher=2 * own).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ConfigError, match="needs a teacher"):
        DistillCosine(embedding_dim=4, teacher_dim=None)


@pytest.mark.parametrize(
    "loss", [DistillSimilarities(), DistillRelations(), DistillGram(), DistillCosine(embedding_dim=4, teacher_dim=7)]
)
def test_the_teacher_learns_nothing_and_descent_comes_nearer_to_it(loss: torch.nn.Module) -> None:
    own, teacher = (rows.float().requires_grad_() for rows in views(5))
    before = loss(own, LABELS, teacher=teacher)
    before.backward()
    assert teacher.grad is None
    assert own.grad is not None
    with torch.no_grad():
        moved = own - 1e-2 * own.grad
    assert loss(moved, LABELS, teacher=teacher) < before
