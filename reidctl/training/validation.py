"""The network under training, tested as it will be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from torch import nn

from reidctl.config.evaluation import EvalConfig
from reidctl.config.schema import RunConfig
from reidctl.data.loader import normalize
from reidctl.retrieval.embedding import embed
from reidctl.retrieval.evaluation import evaluate
from reidctl.training.checkpoint import describe, require_embeddings
from reidctl.training.device import whole_mantissas
from reidctl.training.processes import ALONE, Processes
from reidctl.types import ArtefactInfo, Embedder, Embeddings, Metrics, ReidData, Sample

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8


class ModelEmbedder:
    """A network in memory as an Embedder, in float32 however it is trained: the numbers are those of `reidctl eval`."""

    def __init__(self, model: nn.Module, info: ArtefactInfo, device: torch.device) -> None:
        self.info = info
        self._model, self._device = model, device

    @torch.inference_mode()
    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB of `info.image.size` -> embeddings [B, D], not normalised."""
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device)
        with whole_mantissas():
            embeddings = self._model(normalize(batch, self.info.image))
        require_embeddings(embeddings, self.info.model, len(images), self.info.embedding_dim)
        vectors: Float32 = embeddings.cpu().numpy()
        return vectors


def validate(
    model: nn.Module,
    targets: Sequence[ReidData],
    config: RunConfig,
    device: torch.device,
    processes: Processes = ALONE,
) -> dict[str, Metrics]:
    """What `model` reaches on each target, by name; it is in eval mode meanwhile and in training mode afterwards.

    Several processes, each with the same network, embed a share of the images, the same batches that one would embed.
    """
    model.eval()
    try:
        embedder = ModelEmbedder(model, describe(model, config), device)
        return {target.name: _test(embedder, target, config.eval, processes) for target in targets}
    finally:
        model.train()


def mean_score(metrics: Mapping[str, Metrics], name: str) -> float | None:
    """The mean of mAP, mINP or rank-K over the targets, by which the best weights are chosen; None without one."""
    return fmean(_score(found, name) for found in metrics.values()) if metrics else None


def _score(metrics: Metrics, name: str) -> float:
    if name.startswith("rank-"):
        return metrics.cmc[int(name.removeprefix("rank-"))]
    value: float = getattr(metrics, name)
    return value


def _test(embedder: Embedder, target: ReidData, config: EvalConfig, processes: Processes) -> Metrics:
    query, gallery = (_embedded(embedder, part, config, processes) for part in (target.query, target.gallery))
    return processes.on_first(
        lambda: evaluate(
            query,
            gallery,
            metric=config.metric,
            ranks=config.ranks,
            ap_rule=config.ap,
            rerank=config.rerank,
            protocol=config.protocol,
        )
    )


def _embedded(embedder: Embedder, samples: tuple[Sample, ...], config: EvalConfig, processes: Processes) -> Embeddings:
    size, count = config.batch_size, len(samples)
    own = embed(embedder, samples[processes.part(count, size)], batch_size=size, flip=config.flip)
    return Embeddings(processes.joined(own.vectors, count, size), samples)
