"""The files that are measured: those that were named, and what is made of presets, checkpoints and ONNX files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reidctl.artefacts import locate
from reidctl.benchmarking.axes import Combination, is_network
from reidctl.errors import ReidError
from reidctl.export.ir import export_ir
from reidctl.export.onnx import export_onnx
from reidctl.runtimes.graph import image_input, read_graph
from reidctl.types import Sample

logger = logging.getLogger(__name__)


class Files:
    """Makes each file once, below `folder`, when it is first asked for. calibration: images that INT8 is made with."""

    def __init__(self, folder: Path, calibration: Sequence[Sample] = ()) -> None:
        self._folder, self._calibration = folder, calibration
        self._made: dict[tuple[object, ...], Path | ReidError] = {}

    def of(self, row: Combination) -> Path:
        """The file of a row. What goes wrong in making it is raised for every row that needs it."""
        located = locate(row.model)
        if row.engine in ("eager", "compiled"):
            return self._checkpoint(located)
        if row.weights is None:
            return self._onnx(located) if is_network(located) else Path(located)
        return self._ir(located, row.weights, row.batch)

    def _checkpoint(self, located: Path | str) -> Path:
        if isinstance(located, Path):
            return located
        return self._once(("checkpoint", located), lambda folder: _save_preset(located, folder / "preset.safetensors"))

    def _onnx(self, located: Path | str) -> Path:
        if isinstance(located, Path) and not is_network(located):
            return located
        checkpoint = self._checkpoint(located)
        return self._once(("onnx", located), lambda folder: export_onnx(checkpoint, folder / "model.onnx"))

    def _ir(self, located: Path | str, weights: str, batch: int) -> Path:
        onnx, how = self._onnx(located), dict[str, Any](weights=weights, batch="dynamic")
        if weights == "int8":
            how.update(calibration=self._calibration)
        if weights == "int8" or _is_of_one_batch(onnx):
            how.update(batch=batch)
        key = "ir", located, weights, how["batch"]
        return self._once(key, lambda folder: export_ir(onnx, folder, **how))

    def _once(self, key: tuple[object, ...], make: Callable[[Path], Path]) -> Path:
        if key not in self._made:
            folder = self._folder / str(len(self._made))
            folder.mkdir()
            try:
                self._made[key] = make(folder)
            except ReidError as error:
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, ReidError):
            raise made
        return made


def _is_of_one_batch(onnx: Path) -> bool:
    """Whether the file takes batches of one size alone."""
    return image_input(read_graph(onnx), onnx).batch is not None


def _save_preset(name: str, path: Path) -> Path:
    from reidctl.runtimes.network import preset_checkpoint
    from reidctl.training.checkpoint import save_checkpoint

    logger.warning("preset %s: random weights, nothing was learned; for speed alone", name)
    fresh = preset_checkpoint(name)
    save_checkpoint(path, fresh.build(), fresh.config, fresh.info)
    return path
