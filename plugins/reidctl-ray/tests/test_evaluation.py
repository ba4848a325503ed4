import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reidctl
from reidctl.errors import ConfigError, InputError
from reidctl.retrieval.features import Block, Features, Labels, Made, write_features
from reidctl.types import ArtefactInfo, Metrics
from reidctl_ray.evaluation import evaluate_on_cluster

DIM = 64
MODEL = "retail-0248"


def write(path: Path, vectors: np.ndarray, people: np.ndarray, cameras: np.ndarray, model: str = "net") -> Path:
    names = [f"{path.stem}-{row}" for row in range(len(vectors))]
    block = Block(Labels(names, people, cameras, [None] * len(names)), vectors)
    made = Made(ArtefactInfo(model=model, embedding_dim=vectors.shape[1]), model, "f32", "0")
    write_features(path, iter([block]), len(vectors), made)
    return path


def signs(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of ±1 whose length is 8: cosines are whole 64ths, exact in float32, and many are equal."""
    random = np.random.default_rng(seed)
    people = random.integers(-1, 25, rows)
    towards = np.random.default_rng(99).standard_normal((27, DIM))
    vectors = np.where(towards[people] + random.standard_normal((rows, DIM)) > 0, 1, -1).astype(np.float32)
    return vectors, people, random.integers(0, 4, rows)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[Path]]:
    """600 queries, and a gallery of 3,000 in three files."""
    query = write(tmp_path / "query.parquet", *signs(600, 0))
    gallery = signs(3000, 1)
    cuts = [slice(0, 1000), slice(1000, 1100), slice(1100, 3000)]
    parts = [write(tmp_path / f"g{n}.parquet", *(each[cut] for each in gallery)) for n, cut in enumerate(cuts)]
    return query, parts


def in_one_process(query: Path, gallery: list[Path], **options: Any) -> Metrics:
    queries, images = Features.open([query]).embeddings(), Features.open(gallery).embeddings()
    return reidctl.evaluate(queries, images, **options)


@pytest.mark.parametrize("rule", ["step", "trapezoid"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_two_parts_give_the_figures_of_one_process(
    cluster: None, files: tuple[Path, list[Path]], metric: Any, rule: Any
) -> None:
    query, gallery = files
    found = evaluate_on_cluster([query], gallery, parts=2, metric=metric, ap_rule=rule)
    assert found == in_one_process(query, gallery, metric=metric, ap_rule=rule)
    assert 0.1 < found.mAP < 0.99


def test_a_killed_worker_changes_no_figure(
    cluster: None, files: tuple[Path, list[Path]], kill_worker: Callable[[str], int | None]
) -> None:
    query, gallery = files
    killed: list[int | None] = []

    def kill_one(done: int) -> None:
        if not killed:
            killed.append(kill_worker("PartOfGallery"))

    found = evaluate_on_cluster([query], gallery, parts=2, progress=kill_one)
    assert killed[0]
    assert found == in_one_process(query, gallery)


def test_files_of_two_models_are_refused(cluster: None, files: tuple[Path, list[Path]], tmp_path: Path) -> None:
    other = write(tmp_path / "other.parquet", *signs(10, 2), model="another")
    with pytest.raises(InputError, match="do not go together: model another / net"):
        evaluate_on_cluster([other], files[1])


def test_a_query_of_zeros_is_an_error_of_one_line(
    cluster: None, files: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    vectors, people, cameras = signs(10, 2)
    vectors[4] = 0
    zero = write(tmp_path / "zero.parquet", vectors, people, cameras)
    with pytest.raises(InputError, match="row 4 is all zeros"):
        evaluate_on_cluster([zero], files[1])


def test_more_parts_than_cores_are_refused(cluster: None, files: tuple[Path, list[Path]]) -> None:
    with pytest.raises(ConfigError, match="5 actors of 1 CPU"):
        evaluate_on_cluster([files[0]], files[1], parts=5)


def test_ranks_are_read_as_those_of_eval_are(reidctl: Any) -> None:
    ended = reidctl("ray", "eval", "query.parquet", "gallery.parquet", "--ranks", "0,1")
    assert ended.returncode == 2
    assert "--ranks 0,1: ranks start at 1" in ended.stderr


def test_the_command_evaluates_what_embed_wrote(market: Path, reidctl: Any, tmp_path: Path) -> None:
    base, data = market / "market1501" / "Market-1501-v15.09.15", f"market1501={market}"
    query, gallery = tmp_path / "query.parquet", tmp_path / "gallery.parquet"
    for folder, file in (("query", query), ("bounding_box_test", gallery)):
        ended = reidctl("embed", base / folder, "--data", data, "-m", MODEL, "-o", file, "--device", "cpu")
        assert ended.returncode == 0, ended.stderr
    ended = reidctl("ray", "eval", query, gallery, "--address", "local", "--ranks", "1,3", "--json")
    assert ended.returncode == 0, ended.stderr
    told, wanted = json.loads(ended.stdout), in_one_process(query, [gallery], ranks=(1, 3)).as_dict()
    assert told.pop("schema") == "reidctl.ray-eval/1"
    # Distances of a network are rounded as the BLAS pleases; two that differ in their last bit may change places.
    assert told == pytest.approx(wanted, abs=1e-3)
