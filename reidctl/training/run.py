"""Everything a training run consists of, and its one step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidctl.config.schema import RunConfig
from reidctl.data.loader import Batch, derived_seed, normalize, train_batches
from reidctl.data.sources import load_data
from reidctl.training.checkpoint import build_model, embedding_dim
from reidctl.training.compiling import forward_of, is_worth_it
from reidctl.training.device import resolve_device, seed_step
from reidctl.training.freezing import require_layers
from reidctl.training.mixing import Mixer, shared
from reidctl.training.objective import Objective
from reidctl.training.optimizers import build_optimizer, set_lr
from reidctl.training.schedules import lr_at
from reidctl.weights import Report, load_weights


class Run:
    """Data, network, losses and optimizer of `config`, built and placed on its device.

    resumed: the weights will be those of a state, so the file that the run once started from is not needed.
    """

    def __init__(self, config: RunConfig, *, resumed: bool = False) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        self.data, self.targets = load_data(config.data)
        self.batches = train_batches(
            self.data,
            config.data,
            batch_size=config.train.batch_size,
            seed=config.seed,
            pin_memory=self.device.type == "cuda",
        )
        self._mix = Mixer(config.data.batch_transforms)
        torch.manual_seed(config.seed)
        whole = resumed or (config.weights is not None and not config.allow_partial)
        self.model = build_model(config, restoring=whole)
        class_counts = torch.bincount(torch.tensor([sample.identity for sample in self.data.train]))
        self.losses = Objective(config.losses, embedding_dim=embedding_dim(self.model), class_counts=class_counts)
        self.loaded: Report | None = None
        if config.weights is not None and not resumed:
            self.loaded = load_weights(self.model, config.weights, allow_partial=config.allow_partial)
        if config.train.fixbase_epochs:
            require_layers(self.model, config.train.open_layers)
        self.memory_format = torch.channels_last if config.train.channels_last else torch.contiguous_format
        self.model.to(memory_format=self.memory_format).to(self.device)
        self.losses.to(self.device)
        self._weights = torch.tensor([spec.weight for spec in config.losses], device=self.device)
        self.parameters = [*self.model.parameters(), *self.losses.parameters()]
        self.optimizer = build_optimizer(config.train, self.parameters)
        images = config.train.epochs * self.batches.steps(0) * config.train.batch_size
        worth_it = is_worth_it(self.device, images, deterministic=config.deterministic)
        self._forward = forward_of(self.model, self.device, config.train.compile, worth_it=worth_it)

    @property
    def loss_names(self) -> list[str]:
        """One name for each loss; a name that comes again is numbered."""
        names = [spec.name for spec in self.config.losses]
        places = [names[:index].count(name) + 1 for index, name in enumerate(names)]
        return [name if place == 1 else f"{name}-{place}" for name, place in zip(names, places, strict=True)]

    @property
    def compiled(self) -> bool:
        """Whether the network is compiled at its first step."""
        return self._forward is not self.model

    def step(self, batch: Batch, epoch: int, step: int, steps: int) -> Tensor:
        """Learn from one batch; [total, each loss unweighted, top-1 or nan], still on the device."""
        seed_step(derived_seed(self.config.seed, "step", epoch, step))
        set_lr(self.optimizer, lr_at(self.config.train, epoch, step, steps))
        images = batch.images.to(self.device, non_blocking=True, memory_format=self.memory_format)
        labels = batch.labels.to(self.device, non_blocking=True)  # [B]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.train.precision == "bf16"):
            mixed = self._mix(normalize(images, self.config.data.image), labels)
            embeddings = self._forward(mixed.images)  # [B, D]
        embeddings = embeddings.float()
        parts: Tensor = self.losses(
            embeddings, labels, mixed, epoch=epoch + step / steps, model=self.model, indices=batch.indices
        )
        total = parts @ self._weights
        top1 = shared(self.losses.top1, embeddings, labels, mixed)
        values = torch.cat([total.detach()[None], parts.detach(), top1[None]])
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        if self.config.train.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.config.train.clip_norm)
        self.optimizer.step()
        return values
