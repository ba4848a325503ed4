"""Everything a training run consists of, and its one step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, partial

import torch
from torch import Tensor, nn

from reidctl.config.schema import DataConfig, RunConfig
from reidctl.data.draws import derived_seed
from reidctl.data.loader import Batch, normalize, train_batches
from reidctl.data.names import distinct
from reidctl.data.sources import load_data
from reidctl.errors import ConfigError
from reidctl.registry import models
from reidctl.training.averaging import Average
from reidctl.training.blame import blamed
from reidctl.training.checkpoint import build_model, embedding_dim, require_embeddings
from reidctl.training.compiling import forward_of, is_compiled, is_worth_it
from reidctl.training.device import algorithms, current, explained, lower_precision, resolve_precision, seed_step
from reidctl.training.freezing import require_layers
from reidctl.training.graphing import is_recorded
from reidctl.training.joining import together
from reidctl.training.learner import Learner, build_objective, exchange, peer_configs
from reidctl.training.memory import kept_memory
from reidctl.training.mixing import Mixer, shared
from reidctl.training.norms import SharedNorms
from reidctl.training.objective import Objective
from reidctl.training.optimizers import build_optimizer, parameter_groups, set_lr
from reidctl.training.processes import ALONE, Processes
from reidctl.training.sharpness import at_the_peak
from reidctl.training.teacher import Teacher
from reidctl.weights import Report, load_weights

logger = logging.getLogger(__name__)


class Run:
    """Data, networks, losses and optimizer of `config`, built and placed on its device.

    config: the same, with the precision that `auto` comes to here, so that a run goes on with it on any machine.
    learners: the network and its losses (`model`, `losses`), and those of `train.mutual`; processes: with which this
    one trains; resumed: the weights will be those of a state, so the file that the run once started from is not needed.
    """

    def __init__(self, config: RunConfig, *, resumed: bool = False, processes: Processes = ALONE) -> None:
        self.processes, self.device = processes, processes.device(config.device)
        self.config = config = self._settled(config)
        self.data, self.targets = load_data(config.data)
        self.batches = train_batches(
            self.data,
            config.data,
            batch_size=processes.share(config.train.batch_size, "train.batch_size", _group_size(config.data)),
            seed=config.seed,
            gpu=self.device.type == "cuda",
            beside=processes.local_size - 1,
            num_replicas=processes.size,
            rank=processes.rank,
        )
        self.teacher = Teacher(config.train.teacher, self.data.train) if config.train.teacher else None
        self._mix = Mixer(config.data.batch_transforms)
        torch.manual_seed(config.seed)
        whole = resumed or (config.weights is not None and not config.allow_partial)
        self.model = build_model(config, restoring=whole)
        class_counts = torch.bincount(torch.tensor([sample.identity for sample in self.data.train]))
        teacher_dim = self.teacher.embedding_dim if self.teacher else None
        self.losses = build_objective(config, self.model, class_counts, teacher_dim)
        peers = [build_model(peer, restoring=resumed) for peer in peer_configs(config)]
        objectives = [self.losses, *(build_objective(config, peer, class_counts, teacher_dim) for peer in peers)]
        self.networks = nn.ModuleList([self.model, *peers])
        self._model_names = [config.model.name, *(spec.name for spec in config.train.mutual)]
        self._dims = [embedding_dim(network) for network in self.networks]
        self.loaded: Report | None = None
        if config.weights is not None and not resumed:
            self.loaded = load_weights(self.model, config.weights, allow_partial=config.allow_partial)
        elif not resumed and config.train.base_lr_mult < 1 and not config.model.parameters.get("pretrained"):
            logger.warning("train.base_lr_mult %g is for trained weights: none are given", config.train.base_lr_mult)
        self.memory_format = torch.channels_last if config.train.channels_last else torch.contiguous_format
        self.networks.to(memory_format=self.memory_format).to(self.device)
        self.learners = self._learners(objectives)
        self._weights = torch.tensor([spec.weight for spec in config.losses], device=self.device)
        self._norms = SharedNorms(processes) if self._shares_norms else nullcontext()
        groups = [group for each in self.learners for group in parameter_groups(each.model, each.losses, config.train)]
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = build_optimizer(config.train, groups)
        self._lower = lower_precision(config.train.precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.train.precision == "f16")
        self.average = Average(self.model, config.train.ema_decay) if config.train.ema_decay else None

    def _settled(self, config: RunConfig) -> RunConfig:
        precision = self.processes.on_first(
            lambda: resolve_precision(config.train.precision, self.device, deterministic=config.deterministic)
        )
        return config.model_copy(update={"train": config.train.model_copy(update={"precision": precision})})

    def _learners(self, objectives: Sequence[Objective]) -> list[Learner]:
        config, found = self.config.train, []
        images = config.epochs * self.batches.steps(0) * config.batch_size
        worth_it = is_worth_it(self.device, images, deterministic=self.config.deterministic)
        if self._shares_norms and config.compile is True:
            raise ConfigError("train.compile: not with train.sync_norms and several processes", "set one to false")
        graphs = is_recorded(config, self.device, shared_norms=self._shares_norms)
        for network, losses in zip(self.networks, objectives, strict=True):
            if config.fixbase_epochs:
                require_layers(network, config.open_layers)
            require_layers(network, config.new_layers, "train.new_layers")
            wanted = False if self._shares_norms else config.compile
            forward = forward_of(network, self.device, wanted, worth_it=worth_it, graphs=graphs)
            found.append(Learner(network, losses.to(self.device), forward))
        return found

    @property
    def _shares_norms(self) -> bool:
        return self.config.train.sync_norms and self.processes.size > 1

    @property
    def loss_names(self) -> list[str]:
        """One name for each loss; a name that comes again is numbered."""
        return distinct([spec.name for spec in self.config.losses])

    @property
    def compiled(self) -> bool:
        """Whether the network is compiled at its first step."""
        return is_compiled(self.learners[0].forward)

    @property
    def kept(self) -> nn.Module:
        """The network that is tested and saved: the moving average where there is one."""
        return self.average.model if self.average else self.model

    def not_finite(self) -> str | None:
        """The first weight or statistic, of the network or a loss, that is not finite; None where all are."""
        state: dict[str, Tensor] = {}
        for number, each in enumerate(self.learners):
            peer = f"peer-{number}." if number else ""
            state |= {**each.model.state_dict(prefix=peer), **each.losses.state_dict(prefix=f"{peer}losses.")}
        values = {name: value for name, value in state.items() if value.is_floating_point() and value.numel()}
        largest = torch._foreach_norm(list(values.values()), ord=math.inf)
        fine = torch.stack([value.isfinite() for value in largest]).tolist()
        return next((name for name, good in zip(values, fine, strict=True) if not good), None)

    def steps(self, epoch: int) -> int:
        """The number of steps of `epoch`, the last of which may have fewer batches."""
        return math.ceil(self.batches.steps(epoch) / self.config.train.accumulate)

    def step(self, batches: Sequence[Batch], epoch: int, step: int, steps: int, lr: float) -> Tensor:
        """Learn from the batches of a step; their mean [total, each loss unweighted, top-1 or nan], on the device."""
        config = self.config.train
        set_lr(self.optimizer, lr)
        # Sharpness-aware minimisation goes through the batches twice, and the teacher has nothing new to say.
        taught = cache(lambda number: self._taught(batches[number]))
        values = self._gradients(batches, epoch, step, steps, taught)
        if config.sam_rho is not None:
            with at_the_peak(self.networks, self.parameters, config.sam_rho):
                self._gradients(batches, epoch, step, steps, taught)
        if config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update()
        return values

    def _gradients(
        self, batches: Sequence[Batch], epoch: int, step: int, steps: int, taught: Callable[[int], Mapping[str, Tensor]]
    ) -> Tensor:
        """Put the mean gradient over the batches into the parameters; what `step` returns.

        taught: what the losses are given of a teacher, by the number of the batch.
        """
        seed_step(derived_seed(self.config.seed, "step", epoch, step))
        self.optimizer.zero_grad()
        found = []
        for number, batch in enumerate(batches):
            total, values = self._values(batch, epoch + step / steps, partial(taught, number))
            self.scaler.scale(total / len(batches)).backward()  # type: ignore[no-untyped-call]
            found.append(values)
        self.processes.average_step(self.parameters, self.networks.buffers())
        return found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    def _values(self, batch: Batch, epoch: float, taught: Callable[[], Mapping[str, Tensor]]) -> tuple[Tensor, Tensor]:
        """The total loss of one batch, and [total, each loss unweighted, top-1 or nan] cut off from the gradient."""
        images = batch.images.to(self.device, non_blocking=True, memory_format=self.memory_format)
        labels = batch.labels.to(self.device, non_blocking=True)  # [B]
        with torch.autocast(self.device.type, self._lower or torch.bfloat16, enabled=self._lower is not None):
            mixed = self._mix(normalize(images, self.config.data.image), labels)
            with self.processes.own_draws(), self._norms:
                found = [self._embedded(mixed.images, number) for number in range(len(self.learners))]  # [B, D] each
        for rows, name, dim in zip(found, self._model_names, self._dims, strict=True):
            require_embeddings(rows, name, len(labels), dim)
        # From here on all processes compute the same, of the whole batch.
        embeddings = [self.processes.gather(rows.float()) for rows in found]
        labels, indices = self._of_all(batch, labels)
        mixed = mixed._replace(partners=labels if mixed.share == 1 else self.processes.gather(mixed.partners))
        given = [{**others, **taught()} for others in exchange(self.learners, embeddings, epoch)]
        parts: list[Tensor] = [
            learner.losses(rows, labels, mixed, epoch=epoch, model=learner.model, indices=indices, **others)
            for learner, rows, others in zip(self.learners, embeddings, given, strict=True)
        ]
        total = torch.stack([(each * self._weights).sum() for each in parts]).sum()
        top1 = shared(partial(self.losses.top1, epoch=epoch), embeddings[0], labels, mixed)
        return total, torch.cat([total.detach()[None], parts[0].detach(), top1[None]])

    def _embedded(self, images: Tensor, number: int) -> Tensor:
        """What the network of a learner makes of images [B, 3, H, W], before anything is required of it."""
        with blamed(models, self._model_names[number]):
            return self.learners[number].forward(images)

    def _taught(self, batch: Batch) -> dict[str, Tensor]:
        """What the losses are given of a teacher: its embeddings [B, T] of the images of all processes."""
        if self.teacher is None:
            return {}
        return {"teacher": self.processes.gather(self.teacher(batch).to(self.device, non_blocking=True))}

    def _of_all(self, batch: Batch, labels: Tensor) -> tuple[Tensor, list[int]]:
        """The labels and indices of the batches of all processes."""
        if self.processes.size == 1:
            return labels, batch.indices
        both = self.processes.gather(torch.stack([batch.labels, torch.tensor(batch.indices)], dim=1))
        return both[:, 0].to(self.device, non_blocking=True), both[:, 1].tolist()


@contextmanager
def computing(config: RunConfig) -> Iterator[Processes]:
    """What a run computes in: the processes it is shared with, GPU, algorithms, memory, and words for what fails."""
    with (
        together() as processes,
        current(processes.device(config.device)),
        algorithms(config.deterministic),
        kept_memory(),
        explained(),
    ):
        yield processes


def _group_size(config: DataConfig) -> int:
    """Images of a batch that no two processes may divide among them."""
    return 1 if config.sampler == "random" else config.images_per_identity
