"""A network that learns from another one."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reidctl.config import LossSpec, RunConfig
from reidctl.config.teacher import TeacherConfig
from reidctl.data.images import load_array
from reidctl.errors import ConfigError, InputError
from reidctl.export import export_ir, export_onnx
from reidctl.runtimes import open_embedder
from reidctl.training.checkpoint import load_checkpoint
from reidctl.training.run import Run
from reidctl.training.teacher import Teacher
from reidctl.training.trainer import train
from reidctl.types import ImageSpec, Spec
from tests.training.stand_ins import tiny_config
from tests.training.test_trainer import Watcher


@pytest.fixture
def trained(runs: Path) -> Path:
    """A checkpoint of a network of its own size, which takes images of another one."""
    image = ImageSpec(height=48, width=24)
    return train(tiny_config(runs, run="teacher", train_epochs=1, data_image=image, data_targets=())).path


def taught(runs: Path, teacher: TeacherConfig | None, *losses: str, **changes: Any) -> RunConfig:
    specs = tuple(LossSpec(name=name) for name in losses)
    return tiny_config(runs, train_teacher=teacher, losses=specs, data_targets=(), **changes)


@pytest.mark.parametrize("images", ["augmented", "clean"])
@pytest.mark.parametrize("loss", ["distill_similarities", "distill_cosine"])
def test_a_network_comes_to_see_what_its_teacher_sees(runs: Path, trained: Path, images: Any, loss: str) -> None:
    teacher = TeacherConfig(model=trained, images=images)
    config = taught(runs, teacher, loss, train_epochs=8, train_lr=0.02, train_compile=False)
    first, *_, last = _losses(config)
    assert last < 0.7 * first


def _losses(config: RunConfig) -> list[float]:
    watcher = Watcher()
    train(config, observer=watcher)
    return [epoch.loss for epoch in watcher.epochs]


def test_an_augmented_teacher_sees_the_batch_and_a_clean_one_the_images_of_a_test(runs: Path, trained: Path) -> None:
    run = Run(taught(runs, TeacherConfig(model=trained), "distill_gram"))
    batch = next(run.batches.epoch(0))
    opened = open_embedder(trained, device="cpu")
    resized = torch.nn.functional.interpolate(batch.images, (48, 24), mode="bilinear", antialias=True)
    expected = opened.embed_batch(resized.permute(0, 2, 3, 1).numpy())
    assert run.teacher is not None
    np.testing.assert_allclose(run.teacher(batch).numpy(), expected, atol=1e-5)

    clean = Teacher(TeacherConfig(model=trained, images="clean"), run.data.train)
    shown = np.stack([load_array(run.data.train[index], opened.info.image) for index in batch.indices])
    told: list[tuple[int, int]] = []
    before = clean(batch)
    clean.prepare(progress=lambda *counts: told.append(counts))
    assert told == [(36, 36)]
    np.testing.assert_allclose(before.numpy(), opened.embed_batch(shown), atol=1e-5)
    torch.testing.assert_close(clean(batch), before)


def test_an_onnx_file_and_an_ir_teach_what_their_checkpoint_does(runs: Path, trained: Path) -> None:
    graph = export_onnx(str(trained), runs / "teacher.onnx")
    taken = []
    for model in (trained, graph, export_ir(graph)):
        teacher = TeacherConfig(model=model)
        run = Run(taught(runs, teacher, "distill_cosine", train_compile=False))
        batch = next(run.batches.epoch(0))
        assert run.teacher is not None
        taken.append((run.teacher(batch), run.step([batch], 0, 0, 1, 0.1)))
    for found in taken[1:]:
        torch.testing.assert_close(found, taken[0], rtol=1e-4, atol=1e-5, equal_nan=True)


def test_a_teacher_that_cannot_teach_is_refused(runs: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no network")
    for model, words in ((tmp_path / "none.xml", "no such model"), (tmp_path / "net.onnx", "net.onnx")):
        with pytest.raises(InputError, match=words):
            Run(taught(runs, TeacherConfig(model=model), "distill_gram"))
    with pytest.raises(ConfigError, match=r"losses.0: 'distill_gram' needs train.teacher, which is not set"):
        Run(taught(runs, None, "distill_gram"))
    with pytest.raises(ConfigError, match=r"train.teacher: no loss learns from it"):
        Run(taught(runs, TeacherConfig(model=trained), "linear"))
    with pytest.raises(ValueError, match=r"data.batch_transforms mix people"):
        taught(runs, TeacherConfig(model=trained), "distill_gram", data_batch_transforms=(Spec(name="mixup"),))


@pytest.mark.parametrize("rho", [None, 0.05])
def test_a_teacher_sees_each_batch_once_in_a_step(
    runs: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, rho: float | None
) -> None:
    changes = {"train_sam_rho": rho, "train_accumulate": 2}
    run = Run(taught(runs, TeacherConfig(model=trained), "distill_gram", **changes))
    seen: list[list[int]] = []
    teach = Teacher.__call__
    monkeypatch.setattr(Teacher, "__call__", lambda self, batch: [teach(self, batch), seen.append(batch.indices)][0])
    batches = [batch for batch, _ in zip(run.batches.epoch(0), range(2), strict=False)]
    run.step(batches, 0, 0, 1, 0.1)
    assert seen == [batch.indices for batch in batches]


class Broken:
    def __init__(self, answer: float | Exception) -> None:
        self.info, self._answer = open_info(), answer

    def embed_batch(self, images: Any) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return np.full((len(images), 6), self._answer, np.float32)


def open_info() -> Any:
    from reidctl.types import ArtefactInfo

    return ArtefactInfo(model="broken", embedding_dim=6, image=ImageSpec(height=32, width=16))


@pytest.mark.parametrize(
    ("answer", "words"),
    [(RuntimeError("no such\nkernel"), "failed: RuntimeError: no such kernel"), (np.nan, "is not finite")],
)
def test_a_teacher_that_fails_in_the_run_is_one_line(
    runs: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, words: str
) -> None:
    monkeypatch.setattr("reidctl.training.teacher._open", lambda *_: Broken(answer))
    with pytest.raises(InputError, match=rf"teacher .*{words}"):
        train(taught(runs, TeacherConfig(model=trained), "distill_gram", train_on_nan="stop"))


def test_a_lack_of_memory_is_no_failure_of_the_teacher(
    runs: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    monkeypatch.setattr("reidctl.training.teacher._open", lambda *_: Broken(lack))
    with pytest.raises(ConfigError, match="memory does not hold this network and batch"):
        train(taught(runs, TeacherConfig(model=trained), "distill_gram"))


def test_networks_learn_from_each_other_and_are_all_kept(runs: Path) -> None:
    peers = (Spec(name="tiny", width=4), Spec(name="tiny"))
    specs = (LossSpec(name="linear"), LossSpec(name="mutual_logits"), LossSpec(name="mutual_similarities"))
    config = tiny_config(runs, losses=specs, train_mutual=peers, train_fixbase_epochs=1, train_open_layers=("fc",))
    train(config)
    files = sorted(path.name for path in (runs / "tiny" / "weights").iterdir())
    assert files == sorted(
        ["last.pt", *(f"{kind}{peer}.safetensors" for kind in ("best", "last") for peer in ("", "-peer-1", "-peer-2"))]
    )
    assert open_embedder(runs / "tiny" / "weights" / "last-peer-1.safetensors", device="cpu").info.model == "tiny"
    again = config.model_copy(update={"run": "again"})
    with pytest.raises(KeyboardInterrupt):
        train(again, observer=Watcher((2, 2), signal.SIGINT))
    train(again, resume=runs / "again")
    for name in ("last", "last-peer-1", "last-peer-2"):
        files = (runs / run / "weights" / f"{name}.safetensors" for run in ("tiny", "again"))
        assert len({load_checkpoint(file).info.weights_sha256 for file in files}) == 1
    plain = Run(tiny_config(runs, losses=specs[:1]))
    run = Run(config)
    assert all(torch.equal(a, b) for a, b in zip(plain.model.parameters(), run.model.parameters(), strict=True))
    with pytest.raises(ConfigError, match=r"train.mutual: no loss learns from it"):
        Run(tiny_config(runs, train_mutual=peers))
    with pytest.raises(ConfigError, match=r"losses.1: 'mutual_logits' needs train.mutual, which is not set"):
        Run(tiny_config(runs, losses=specs[:2]))


def test_a_step_of_two_networks_is_the_sum_of_their_losses(runs: Path) -> None:
    specs = (LossSpec(name="norms"), LossSpec(name="mutual_similarities", weight=0.5, temperature=0.2))
    run = Run(tiny_config(runs, losses=specs, train_mutual=(Spec(name="tiny", width=4),), train_optimizer="sgd"))
    batch = next(run.batches.epoch(0))
    run.networks.eval()
    from reidctl.data.loader import normalize
    from reidctl.losses.mutual import MutualSimilarities

    with torch.no_grad():
        rows = [network(normalize(batch.images, run.config.data.image)) for network in run.networks]
    agree = MutualSimilarities(0.2)
    costs = [(own.square().mean(), agree(own, batch.labels, peers=[other])) for own, other in (rows, reversed(rows))]
    expected = sum(norm + 0.5 * apart for norm, apart in costs)
    total, norm, apart, _ = run.step([batch], 0, 0, 3, 0.01).tolist()
    assert total == pytest.approx(expected.item(), rel=1e-5)
    assert (norm, apart) == pytest.approx((costs[0][0].item(), costs[0][1].item()), rel=1e-5)
