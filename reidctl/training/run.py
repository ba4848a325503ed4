"""Everything a training run consists of, and its one step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from reidctl.config.schema import RunConfig
from reidctl.data.loader import Batch, derived_seed, normalize, train_batches
from reidctl.data.sources import load_sources, load_targets
from reidctl.registry import losses
from reidctl.training.checkpoint import build_model, embedding_dim, load_checkpoint, start_from
from reidctl.training.device import resolve_device, seed_step
from reidctl.training.freezing import require_layers
from reidctl.training.optimizers import build_optimizer, set_lr
from reidctl.training.schedules import lr_at


class Run:
    """Data, network, losses and optimizer of `config`, built and placed on its device."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        self.data = load_sources(config.data)
        self.targets = load_targets(config.data)
        self.batches = train_batches(
            self.data,
            config.data,
            batch_size=config.train.batch_size,
            seed=config.seed,
            pin_memory=self.device.type == "cuda",
        )
        torch.manual_seed(config.seed)
        self.model = build_model(config)
        given = {"embedding_dim": embedding_dim(self.model), "num_classes": self.data.num_identities}
        self.losses = nn.ModuleList(
            losses.build(spec, at=f"losses.{index}", **given) for index, spec in enumerate(config.losses)
        )
        if config.weights is not None:
            start_from(self.model, load_checkpoint(config.weights))
        if config.train.fixbase_epochs:
            require_layers(self.model, config.train.open_layers)
        self.memory_format = torch.channels_last if config.train.channels_last else torch.contiguous_format
        self.model.to(memory_format=self.memory_format).to(self.device)
        self.losses.to(self.device)
        self._weights = torch.tensor([spec.weight for spec in config.losses], device=self.device)
        self.parameters = [*self.model.parameters(), *self.losses.parameters()]
        self.optimizer = build_optimizer(config.train, self.parameters)

    @property
    def loss_names(self) -> list[str]:
        """One name for each loss; a name that comes again is numbered."""
        names = [spec.name for spec in self.config.losses]
        places = [names[:index].count(name) + 1 for index, name in enumerate(names)]
        return [name if place == 1 else f"{name}-{place}" for name, place in zip(names, places, strict=True)]

    def step(self, batch: Batch, epoch: int, step: int, steps: int) -> Tensor:
        """Learn from one batch; [total, each loss unweighted, top-1 or nan], still on the device."""
        seed_step(derived_seed(self.config.seed, "step", epoch, step))
        set_lr(self.optimizer, lr_at(self.config.train, epoch, step, steps))
        images = batch.images.to(self.device, non_blocking=True, memory_format=self.memory_format)
        labels = batch.labels.to(self.device, non_blocking=True)  # [B]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.train.precision == "bf16"):
            embeddings = self.model(normalize(images, self.config.data.image))  # [B, D]
        embeddings = embeddings.float()
        parts = torch.stack([loss(embeddings, labels) for loss in self.losses])
        total = parts @ self._weights
        values = torch.cat([total.detach()[None], parts.detach(), self._top1(embeddings, labels)[None]])
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        if self.config.train.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.config.train.clip_norm)
        self.optimizer.step()
        return values

    @torch.no_grad()
    def _top1(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        for loss in self.losses:
            logits: Callable[[Tensor], Tensor] | None = getattr(loss, "logits", None)
            if logits is not None:
                return (logits(embeddings).argmax(dim=1) == labels).float().mean()
        return embeddings.new_tensor(torch.nan)
