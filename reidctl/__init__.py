"""Person re-identification for real cameras: train, evaluate, export, benchmark.

The names below are the public Python API; each is imported when it is first used, so that
`import reidctl` costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The threads of numpy's BLAS spin for a while after every product, on the cores where its result is worked on. It reads
# this when numpy is first imported; 2^4 cycles is the least.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if TYPE_CHECKING:
    from reidctl.api import create_model, list_models, load_dataset
    from reidctl.benchmarking import bench
    from reidctl.config import load_config
    from reidctl.export import export_ir, export_onnx, verify
    from reidctl.retrieval import evaluate, evaluate_features, rerank
    from reidctl.runtimes import open_embedder
    from reidctl.training import train

_HOMES = {
    "bench": "reidctl.benchmarking",
    "create_model": "reidctl.api",
    "evaluate": "reidctl.retrieval",
    "evaluate_features": "reidctl.retrieval",
    "export_ir": "reidctl.export",
    "export_onnx": "reidctl.export",
    "list_models": "reidctl.api",
    "load_config": "reidctl.config",
    "load_dataset": "reidctl.api",
    "open_embedder": "reidctl.runtimes",
    "rerank": "reidctl.retrieval",
    "train": "reidctl.training",
    "verify": "reidctl.export",
}

__all__ = [
    "bench",
    "create_model",
    "evaluate",
    "evaluate_features",
    "export_ir",
    "export_onnx",
    "list_models",
    "load_config",
    "load_dataset",
    "open_embedder",
    "rerank",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reidctl' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
