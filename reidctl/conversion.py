"""Foreign weights as checkpoints, which every command opens."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import torch

from reidctl.config.parts import with_defaults
from reidctl.config.schema import RunConfig
from reidctl.errors import InputError
from reidctl.runtimes.child import Crashed, run_in_child
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from reidctl.weights import Report, Weights, put_weights, read_weights
from reidctl.weights.pytorch_file import PickleRefused, unpickle
from reidctl.weights.read import checked
from reidctl.weights.safetensors_file import read_safetensors

logger = logging.getLogger(__name__)

UNPICKLE_S = 600


def convert_weights(
    source: Path, target: Path, config: RunConfig, *, allow_partial: bool = False, trust_pickle: bool = False
) -> Report:
    """Write a checkpoint of the network of `config` with the weights in `source`; what was loaded, skipped, missing.

    With allow_partial, weights that are missing are drawn from the configuration's seed. trust_pickle: a pickle that
    needs more than tensors is run, with all that it calls, in a process of its own; that keeps a crash away, not harm.
    Raises InputError as `reidctl.weights.load_weights`.
    """
    weights = _read(source, trust_pickle)
    config = with_defaults(config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        model = build_model(config, restoring=not allow_partial)
    report = put_weights(model, weights, allow_partial=allow_partial)
    save_checkpoint(target, model, config, describe(model, config))
    return report


def _read(source: Path, trust_pickle: bool) -> Weights:
    try:
        return read_weights(source)
    except PickleRefused as refused:
        if not trust_pickle:
            raise
        calls = f" (it calls {refused.wanted})" if refused.wanted else ""
        logger.warning("%s: trusted, so the code that it names runs here%s", source, calls)
    with tempfile.TemporaryDirectory(prefix="reidctl-") as folder:
        tensors = Path(folder, "tensors.safetensors")
        try:
            run_in_child(unpickle, source, tensors, timeout_s=UNPICKLE_S)
        except Crashed as crash:
            raise InputError(f"{source}: cannot be unpickled: {crash}", "install what it was saved with") from crash
        return checked(Weights(source, "unpickled PyTorch", read_safetensors(tensors)[0]))
