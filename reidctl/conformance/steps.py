"""What the check of a part of each kind consists of: a generator that names each step before it carries it out.

What a step has to tell goes to `say`. A step fails with any exception and is skipped with `Unasked`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from reidctl.conformance.report import Question
from reidctl.errors import InputError, MissingExtra
from reidctl.registry import REGISTRIES, Registry

Say = Callable[[str], None]
Steps = Iterator[str]

SIZE = (256, 128)
RUNS = 5


class Unasked(Exception):
    """A step needs what only the user can give; the message says what."""


def steps(question: Question, say: Say) -> Steps:
    """The steps of the check that `question` asks for."""
    registry = next(each for each in REGISTRIES if each.kind == question.kind)
    name = question.spec.name
    yield "import"
    if registry.find(name).is_family:
        members = registry.members(name.removesuffix("/*"))
        say(f"{len(members)} members; name one to check it")
        return
    try:
        registry.load(name)
    except MissingExtra as missing:
        raise Unasked(f"{missing}") from missing
    yield from _OF_KIND[question.kind](question, registry, say)


def _built(question: Question, registry: Registry, **given: Any) -> Any:
    parameters = registry.parameters(question.spec.name).model_fields
    missing = [key for key, field in parameters.items() if field.is_required() and key not in question.spec.parameters]
    if missing:
        raise Unasked(f"needs {' and '.join(missing)}: --set {missing[0]}=…")
    try:
        return registry.build(question.spec, **given)
    except MissingExtra as error:
        raise Unasked(str(error)) from error


def _model(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    import torch

    from reidctl.export import export_ir, export_onnx
    from reidctl.testing import check_model, fresh_checkpoint

    torch.manual_seed(0)
    model = _built(question, registry, image_size=SIZE, restoring=False)
    say(f"{sum(parameter.numel() for parameter in model.parameters()):,} weights")
    yield "contract"
    check_model(model, SIZE)
    with TemporaryDirectory(prefix="reidctl-") as folder:
        yield "onnx"
        made = export_onnx(fresh_checkpoint(question.spec, SIZE), Path(folder, "model.onnx"))
        yield "openvino"
        export_ir(made, folder)
    yield "timing"
    images = torch.zeros(4, 3, *SIZE)
    with torch.no_grad():
        say(f"{_milliseconds(lambda: model(images)) / len(images):.2f} ms an image of {SIZE[0]}×{SIZE[1]}")


def _loss(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    import torch

    from reidctl.testing import check_loss, value_of

    def build(embedding_dim: int, num_classes: int) -> Any:
        counts = torch.arange(1, num_classes + 1)
        given = {"embedding_dim": embedding_dim, "num_classes": num_classes, "class_counts": counts, "teacher_dim": 6}
        return _built(question, registry, **given)

    torch.manual_seed(0)
    loss = build(8, 4)
    yield "contract"
    check_loss(loss)
    yield "timing"
    value = value_of(build(512, 100), torch.nn.Conv2d(3, 8, 3), 512, 100, 6)
    labels, indices = torch.arange(16).repeat_interleave(4), torch.arange(64)
    embeddings = torch.randn(64, 512, requires_grad=True)
    elapsed = _milliseconds(lambda: value(embeddings, labels, indices).backward())  # type: ignore[no-untyped-call]
    say(f"{elapsed:.2f} ms forward and backward of 64 embeddings of 512")


def _transform(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    from PIL import Image

    from reidctl.testing import check_transform
    from reidctl.types import Sample

    colors = ("red", "green")
    samples = tuple(Sample(partial(Image.new, "RGB", (64, 128), color), color, 0, 0) for color in colors)
    transform = _built(question, registry, image_size=SIZE, samples=samples)
    yield "contract"
    check_transform(transform)
    yield "timing"
    image = Image.new("RGB", (64, 128), "gray")
    say(f"{_milliseconds(lambda: transform(image)):.2f} ms an image of 128×64")


def _batch_transform(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    import torch

    from reidctl.testing import check_batch_transform

    transform = _built(question, registry)
    yield "contract"
    check_batch_transform(transform)
    yield "timing"
    images, labels = torch.zeros(16, 3, *SIZE), torch.arange(16)
    say(f"{_milliseconds(lambda: transform(images, labels)):.2f} ms a batch of 16 of {SIZE[0]}×{SIZE[1]}")


def _dataset(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    from reidctl.data.problems import refuse
    from reidctl.testing import check_dataset

    started = perf_counter()
    try:
        data = _built(question, registry, root=question.root or Path("data"), report=refuse)
    except InputError as error:
        if question.root:
            raise
        raise Unasked(f"give the folder of its files with --root ({error})") from error
    elapsed = perf_counter() - started
    yield "contract"
    check_dataset(data)
    yield "timing"
    counts = ", ".join(f"{len(getattr(data, part))} {part}" for part in ("train", "query", "gallery"))
    say(f"{elapsed * 1000:.0f} ms to list {counts} images")


def _runtime(question: Question, registry: Registry, say: Say) -> Steps:
    suffixes = getattr(registry.load(question.spec.name), "suffixes", None)
    dotted = isinstance(suffixes, tuple | list) and all(str(suffix).startswith(".") for suffix in suffixes)
    assert suffixes and dotted, f"`suffixes` is {suffixes!r}, not the endings of the files it opens"  # noqa: PT018
    say(f"opens {', '.join(suffixes)}")
    yield "build"
    import numpy as np

    from reidctl.testing import check_runtime

    with TemporaryDirectory(prefix="reidctl-") as folder:
        file = question.file or _file_for(suffixes, Path(folder))
        runtime = _built(question, registry, path=file, device="auto", precision=None)
        yield "contract"
        check_runtime(runtime)
        yield "timing"
        images = np.zeros((4, *runtime.info.image.size, 3), dtype=np.uint8)
        say(f"{_milliseconds(lambda: runtime.embed_batch(images)) / len(images):.2f} ms an image")


def _file_for(suffixes: tuple[str, ...], folder: Path) -> Path:
    """A file that a runtime of these suffixes opens: the network of a small preset."""
    from reidctl.export import export_onnx
    from reidctl.runtimes.network import preset_checkpoint
    from reidctl.training.checkpoint import save_checkpoint

    checkpoint = preset_checkpoint("reidctl:retail-0248")
    if ".onnx" in suffixes:
        return export_onnx(checkpoint, folder / "model.onnx")
    if ".safetensors" in suffixes:
        made = folder / "model.safetensors"
        save_checkpoint(made, checkpoint.build(), checkpoint.config, checkpoint.info)
        return made
    raise Unasked(f"name a file that it opens ({', '.join(suffixes)}) with --file")


def _logger(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    from reidctl.config import RunConfig

    with TemporaryDirectory(prefix="reidctl-") as folder:
        logger = _built(question, registry, folder=Path(folder), config=RunConfig())
        yield "contract"
        for method in ("on_start", "on_step", "on_epoch", "close"):
            assert callable(getattr(logger, method, None)), f"it has no method {method}"
        logger.close()


def _index(question: Question, registry: Registry, say: Say) -> Steps:
    yield "build"
    import numpy as np

    from reidctl.testing import check_index, example_embeddings

    with TemporaryDirectory(prefix="reidctl-") as folder:

        def build(place: str, dim: int | None) -> Any:
            return _built(question, registry, location=str(Path(folder, place)), dim=dim, made={"model": '"example"'})

        build("new", 8).close()
        yield "contract"
        check_index(partial(build, "checked"))
        yield "timing"
        index, vectors = build("timed", 256), example_embeddings(2000, 256)
        index.add(vectors)
        queries = vectors.vectors[:16] + np.float32(0.1)
        say(f"{_milliseconds(lambda: index.search(queries, 10)) / len(queries):.2f} ms a query in 2,000 of 256")
        index.close()


def _preset(question: Question, registry: Registry, say: Say) -> Steps:
    yield "contract"
    from reidctl.config.load import load_config
    from reidctl.config.parts import check_parts

    loaded = load_config(preset=question.spec.name)
    check_parts(loaded)
    say(f"model {loaded.config.model.name}")


def _command(question: Question, registry: Registry, say: Say) -> Steps:
    yield "contract"
    import typer

    command = registry.load(question.spec.name)
    assert isinstance(command, typer.Typer) or inspect.isroutine(command), (
        "it is neither a Typer application nor a function"
    )
    app = command if isinstance(command, typer.Typer) else typer.Typer()
    if app is not command:
        app.command()(command)
    typer.main.get_command(app)


_OF_KIND: dict[str, Callable[[Question, Registry, Say], Steps]] = {
    "model": _model,
    "loss": _loss,
    "transform": _transform,
    "batch_transform": _batch_transform,
    "dataset": _dataset,
    "runtime": _runtime,
    "logger": _logger,
    "index": _index,
    "preset": _preset,
    "command": _command,
}


def _milliseconds(act: Callable[[], object]) -> float:
    """The median of a few runs after one to warm up."""
    act()
    elapsed = []
    for _ in range(RUNS):
        started = perf_counter()
        act()
        elapsed.append(perf_counter() - started)
    return median(elapsed) * 1000
