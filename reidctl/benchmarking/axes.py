"""What is varied in a measurement, and the combinations that there are of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

from reidctl.artefacts import locate, runtime_for
from reidctl.benchmarking.devices import native_precisions, require_device
from reidctl.errors import ConfigError, InputError, suggestion

ENGINES = ("openvino", "eager", "compiled")
"""Of these, PyTorch as it is and compiled are for checkpoints and presets."""
PRECISIONS = ("f32", "bf16", "f16")
WEIGHTS = ("fp32", "fp16", "int8")
HINTS = ("latency", "throughput")
STARTS = ("ready", "frames", "jpeg")

Streams = int | None


@dataclass(frozen=True)
class Axes:
    """What is varied.

    devices: names of OpenVINO, and of PyTorch for its rows; engines: of ENGINES; precisions: of the arithmetic, None
    for those that a device has instructions for; weights: those that files are converted to before, none for files
    as they are; batches: images each; hints: `latency`, one batch at a time, `throughput`, as many as the engine
    likes; streams: how many it computes side by side under `throughput`, None for its own choice; starts: `ready`,
    pictures of the network's size in memory, `frames`, decoded pictures of any size, `jpeg`, files.
    """

    devices: Sequence[str] = ("CPU",)
    engines: Sequence[str] = ("openvino", "eager")
    precisions: Sequence[str] | None = None
    weights: Sequence[str] = ()
    batches: Sequence[int] = (1, 8)
    hints: Sequence[str] = HINTS
    streams: Sequence[Streams] = (None,)
    starts: Sequence[str] = ("ready",)

    def __post_init__(self) -> None:
        known = {
            "engine": (self.engines, ENGINES),
            "precision": (self.precisions or (), PRECISIONS),
            "weights": (self.weights, WEIGHTS),
            "hint": (self.hints, HINTS),
            "start": (self.starts, STARTS),
        }
        for what, (chosen, all_) in known.items():
            for word in chosen:
                if word not in all_:
                    raise ConfigError(
                        f"{what} '{word}' is none of {', '.join(all_)}",
                        suggestion(word, all_, f"choose {', '.join(all_)}"),
                    )
        for what, numbers in (("batch", self.batches), ("number of streams", self.streams)):
            for number in numbers:
                if number is not None and number < 1:
                    raise ConfigError(f"a {what} of {number}: 1 is the least")
        if not all((self.devices, self.engines, self.batches, self.hints, self.streams, self.starts)):
            raise ConfigError("nothing to measure: an axis is empty")


class Combination(NamedTuple):
    """A row to measure: a model as the user named it, and its place on each axis; weights None: those of its file."""

    model: str
    engine: str
    weights: str | None
    device: str
    precision: str
    batch: int
    hint: str
    streams: Streams
    start: str


def combinations(models: Sequence[str | Path], axes: Axes) -> list[Combination]:
    """Every combination that can be had, in the order of the models; what cannot is left out.

    PyTorch computes one batch at a time with f32 weights; an IR keeps its weights. Raises InputError for a model or
    device that is not there, or where nothing is left.
    """
    if not models:
        raise InputError("no models to measure")
    found = [row for model in models for row in _of_model(model, axes)]
    if not found:
        raise InputError(
            f"nothing to measure: these models have no {' or '.join(axes.engines)} with {' or '.join(axes.hints)}",
            "PyTorch opens checkpoints and presets, and computes one batch at a time",
        )
    return list(dict.fromkeys(found))


def _of_model(model: str | Path, axes: Axes) -> Iterator[Combination]:
    located = locate(model)
    engines = _engines(located, axes.engines)
    for device in axes.devices:
        require_device(device, engines or axes.engines)
    for engine, device in product(engines, axes.devices):
        native = native_precisions(device, engine)
        if native is None:
            continue
        for weights, precision, batch, (hint, streams), start in product(
            _weights(located, engine, axes.weights),
            native if axes.precisions is None else axes.precisions,
            axes.batches,
            _ways(engine, axes),
            axes.starts,
        ):
            yield Combination(str(model), engine, weights, device, precision, batch, hint, streams, start)


def is_network(located: Path | str) -> bool:
    """Whether this is a preset or a checkpoint, which every engine can compute."""
    return isinstance(located, str) or runtime_for(located).name == "pytorch"


def _engines(located: Path | str, asked: Sequence[str]) -> list[str]:
    if isinstance(located, str) or is_network(located):
        return list(asked)
    own = runtime_for(located).name
    # A runtime of somebody else's has no name among ours to be asked for.
    return [own] if own in asked or own not in ENGINES else []


def _weights(located: Path | str, engine: str, asked: Sequence[str]) -> Sequence[str | None]:
    converted = is_network(located) or (isinstance(located, Path) and located.suffix.lower() == ".onnx")
    return asked if asked and converted and engine == "openvino" else (None,)


def _ways(engine: str, axes: Axes) -> Iterator[tuple[str, Streams]]:
    for hint in axes.hints:
        if hint == "latency":
            yield hint, None
        elif engine not in ("eager", "compiled"):
            yield from ((hint, streams) for streams in axes.streams)
