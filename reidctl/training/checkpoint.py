"""Checkpoints: the weights of the embedding network and all that is needed to use them, in one safetensors file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from reidctl.config.ownership import read_stored
from reidctl.config.schema import RunConfig
from reidctl.errors import InputError, PluginError
from reidctl.files import replacing
from reidctl.registry import models
from reidctl.types import ArtefactInfo
from reidctl.weights.safetensors_file import read_safetensors

VERSIONS = ("reidctl", "torch")
"""Packages whose versions a checkpoint remembers."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: the configuration of its run, what it says of itself, its weights on the CPU."""

    path: Path
    config: RunConfig
    info: ArtefactInfo
    state: dict[str, Tensor]

    def build(self) -> nn.Module:
        """The network with these weights, in eval mode on the CPU; InputError where the weights do not fit it."""
        model = build_model(self.config, restoring=True)
        try:
            model.load_state_dict(self.state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path}: the weights do not fit model '{self.config.model.name}': {reason}",
                "the model's code has changed since; install the versions that the file names: "
                + ", ".join(f"{name} {number}" for name, number in self.info.versions.items()),
            ) from error
        return model.eval()


def build_model(config: RunConfig, *, restoring: bool = False) -> nn.Module:
    """The network that `config` names, with fresh weights drawn from torch's generator, in training mode.

    restoring: all of its weights are about to be replaced, so that it need not fetch any.
    """
    model: nn.Module = models.build(config.model, at="model", image_size=config.data.image.size, restoring=restoring)
    return model


def embedding_dim(model: nn.Module) -> int:
    """The length of the embeddings of `model`; PluginError for one that breaks the contract and does not tell."""
    found = getattr(model, "embedding_dim", None)
    if not isinstance(found, int):
        raise PluginError(
            f"{models.maker(model)} has no whole number `embedding_dim`", "`reidctl plugins check NAME` says more"
        )
    return found


def require_embeddings(found: object, name: str, count: int, dim: int) -> None:
    """Raise PluginError unless what the model `name` made of `count` images is a tensor [count, dim]."""
    if isinstance(found, Tensor) and found.shape == (count, dim):
        return
    shape = f"embeddings of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
    raise models.find(name).fault(f"gives {shape} for {count} images, not {(count, dim)}")


def describe(model: nn.Module, config: RunConfig, metrics: Mapping[str, float] | None = None) -> ArtefactInfo:
    """What a checkpoint of `model` says of itself."""
    return ArtefactInfo(
        model=config.model.name,
        preset=config.preset,
        image=config.data.image,
        embedding_dim=embedding_dim(model),
        metrics=dict(metrics or {}),
        versions={name: version(name) for name in VERSIONS},
    )


def save_checkpoint(path: Path, model: nn.Module, config: RunConfig, info: ArtefactInfo) -> None:
    """Write the weights of `model` with `config` and `info`, whole or not at all; the weights' digest is filled in."""
    state = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.state_dict().items()}
    info = info.model_copy(update={"weights_sha256": weights_sha256(state)})
    with replacing(path) as temporary:
        # Not `save_file`, which lets nobody but the owner read the file.
        temporary.write_bytes(save(state, {**info.to_strings(), "config": config.model_dump_json()}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; InputError for a file that is none."""
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a checkpoint", "a run's checkpoints are weights/*.safetensors")
    try:
        state, entries = read_safetensors(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint") from error
    hint = f"`reidctl convert-weights {path} OUT.safetensors --preset NAME` makes a checkpoint of foreign weights"
    try:
        info = ArtefactInfo.from_strings(entries)
        config = read_stored(entries.get("config", ""))
    except ValueError as error:
        found = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(f"{path}: its metadata is not that of a reidctl checkpoint: {found}", hint) from error
    if info is None:
        raise InputError(f"{path}: weights without the metadata of a reidctl checkpoint", hint)
    return Checkpoint(path, config, info, state)


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """A digest of names, types, shapes and values, the same for the same weights in any file or order."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
