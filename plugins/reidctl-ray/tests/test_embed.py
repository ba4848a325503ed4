import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from reidctl.cli.targets import listed_samples, made_by, open_model
from reidctl.errors import ConfigError, ExistsError, InputError
from reidctl.files import only_writer
from reidctl_ray.embedding import Embedded, Pool, embed_on_cluster
from reidctl_ray.shards import Task
from reidctl_ray.worker import heard, told

MODEL = "retail-0248"
BATCH = 8


def task_for(folder: Path, **changes: Any) -> Task:
    opened = open_model(MODEL, "cpu")
    values = {"device": "cpu", "precision": None, "input": None, "extension": None, "skip_bad": False, "threads": 1}
    return Task(folder, MODEL, made_by(opened, MODEL, None, None), BATCH, **{**values, **changes})


def joined(folder: Path) -> pyarrow.Table:
    return pyarrow.concat_tables([parquet.read_table(file) for file in sorted(folder.glob("*.parquet"))])


@pytest.fixture(scope="module")
def single(images: Path, reidctl: Any, tmp_path_factory: pytest.TempPathFactory) -> pyarrow.Table:
    """What one process writes."""
    file = tmp_path_factory.mktemp("single") / "features.parquet"
    ended = reidctl("embed", images, "-m", MODEL, "-o", file, "--batch-size", BATCH, "--device", "cpu")
    assert ended.returncode == 0, ended.stderr
    return parquet.read_table(file)


def test_two_workers_write_what_one_process_writes(
    cluster: None, images: Path, single: pyarrow.Table, tmp_path: Path
) -> None:
    done: list[int] = []
    found = embed_on_cluster(task_for(tmp_path), listed_samples(images), 2 * BATCH, Pool(2), progress=done.append)
    shards = joined(tmp_path)
    assert shards.schema.equals(single.schema, check_metadata=True)
    assert shards.equals(single)
    assert found == Embedded(shards=8, rows=120, kept=0)
    assert sum(done) == 120


def test_a_killed_worker_costs_nothing_and_doubles_nothing(
    cluster: None, images: Path, single: pyarrow.Table, kill_worker: Callable[[str], int | None], tmp_path: Path
) -> None:
    killed: list[tuple[int, int]] = []

    def kill_one() -> None:
        while not killed:
            finished = len(list(tmp_path.glob("*.parquet")))
            if finished and (pid := kill_worker("ShardEmbedder")):
                killed.append((pid, finished))
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = embed_on_cluster(task_for(tmp_path), listed_samples(images), BATCH, Pool(2))
    killer.join()
    assert killed[0][1] < 15, "all shards were there before the worker was killed"
    assert found.shards == 15
    assert joined(tmp_path).equals(single)
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", *(f"{shard:06d}.parquet" for shard in range(15))}


def test_finished_shards_are_kept_and_a_damaged_one_is_done_again(
    cluster: None, images: Path, single: pyarrow.Table, tmp_path: Path
) -> None:
    samples = listed_samples(images)
    embed_on_cluster(task_for(tmp_path), samples, 4 * BATCH, Pool(2))
    first, second, third = (tmp_path / f"{shard:06d}.parquet" for shard in range(3))
    before = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:-100])
    third.unlink()
    again = embed_on_cluster(task_for(tmp_path), samples, 4 * BATCH, Pool(2))
    assert (again.kept, again.rows) == (2, 120)
    assert first.stat().st_mtime_ns == before
    assert joined(tmp_path).equals(single)


def test_shards_of_another_list_are_refused_and_replaced_by_force(cluster: None, images: Path, tmp_path: Path) -> None:
    samples = listed_samples(images)
    embed_on_cluster(task_for(tmp_path), samples[:30], BATCH, Pool(1))
    with pytest.raises(ExistsError, match="not the same are images, list"):
        embed_on_cluster(task_for(tmp_path), samples[:10], BATCH, Pool(1))
    found = embed_on_cluster(task_for(tmp_path), samples[:10], BATCH, Pool(1), force=True)
    assert (found.kept, found.rows, len(joined(tmp_path))) == (0, 10, 10)


def test_a_folder_with_other_files_is_left_alone(cluster: None, images: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ExistsError, match="holds other files"):
        embed_on_cluster(task_for(tmp_path), listed_samples(images), BATCH, Pool(1), force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_another_call_writes_into_is_left_alone(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reidctl_ray.embedding.require_room", lambda *_: None)
    for name in ("job.json", "000000.parquet"):
        (tmp_path / name).write_text("{}")
    with only_writer(tmp_path), pytest.raises(ExistsError, match="another process is writing there"):
        embed_on_cluster(task_for(tmp_path), listed_samples(images), BATCH, Pool(1), force=True)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"{}"}
    (tmp_path / "file").touch()
    with pytest.raises(ExistsError, match="is a file"):
        embed_on_cluster(task_for(tmp_path / "file"), listed_samples(images), BATCH, Pool(1))


def test_an_unreadable_image_is_named_or_left_out(cluster: None, images: Path, tmp_path: Path) -> None:
    paths = images.read_text().split()[:20]
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    paths[9] = str(bad)
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(paths))
    samples, folder = listed_samples(listing), tmp_path / "shards"
    with pytest.raises(InputError, match=r"bad\.jpg"):
        embed_on_cluster(task_for(folder), samples, BATCH, Pool(2))
    for _ in range(2):  # the second time from what was kept
        found = embed_on_cluster(task_for(folder, skip_bad=True), samples, BATCH, Pool(2))
        assert (found.rows, found.skipped) == (19, [str(bad)])
    assert joined(folder)["path"].to_pylist() == [path for path in paths if path != str(bad)]


def test_more_actors_than_the_cluster_has_room_for_are_refused(cluster: None, images: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="3 actors of 1 CPU each need more than the 2") as caught:
        embed_on_cluster(task_for(tmp_path / "out"), listed_samples(images), BATCH, Pool(3))
    assert "at most 2" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_search_reads(images: Path, reidctl: Any, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    line = ("ray", "embed", images, "-m", MODEL, "-o", folder, "--address", "local", "--device", "cpu", "--json")
    ended = reidctl(*line, "--shard-rows", 64)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["schema"], told["rows"], told["kept"], told["skipped"]) == ("reidctl.ray-embed/1", 120, 0, [])
    query = f"{folder / '000000.parquet'}:3"
    nearest = json.loads(reidctl("search", query, folder, "-k", 1, "--json").stdout)["results"]
    assert [(near["query"], near["distance"]) for near in nearest] == [(nearest[0]["name"], 0.0)]


def test_no_cluster_is_one_line(images: Path, reidctl: Any, tmp_path: Path) -> None:
    ended = reidctl("ray", "embed", images, "-m", MODEL, "-o", tmp_path / "out", "--address", "127.0.0.1:1")
    assert ended.returncode == 2
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "no Ray cluster at '127.0.0.1:1'" in errors[0]
    assert "Traceback" not in ended.stderr


def test_an_error_arrives_as_it_was_sent() -> None:
    for sent in (ConfigError("what", "do this"), InputError("where")):
        found = heard(told(sent))
        assert (type(found), str(found), found.hint) == (type(sent), str(sent), sent.hint)


def test_embeddings_are_not_all_alike(single: pyarrow.Table) -> None:
    vectors = np.stack(single["embedding"].to_numpy())
    assert vectors.shape == (120, 256)
    assert vectors.std(axis=0).max() > 0
