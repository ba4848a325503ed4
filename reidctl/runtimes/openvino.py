"""OpenVINO IR and ONNX files through OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from pydantic import Field

from reidctl.errors import InputError
from reidctl.runtimes.colours import normalize, prefer
from reidctl.runtimes.engine import engine, extend
from reidctl.runtimes.foreign import Foreign
from reidctl.runtimes.graph import embedding_output, explained, image_input, read_graph, read_info
from reidctl.runtimes.pooled_map import pooled_map

if TYPE_CHECKING:
    from reidctl.types import ArtefactInfo, Float32, UInt8

PRECISIONS = ("f32", "bf16", "f16")

Hint = Annotated[
    Literal["throughput", "latency"],
    Field(description="throughput: several requests at once; latency: one, on all cores"),
]
Chunk = Annotated[int, Ge(1), Field(description="images a request, where the file leaves the batch free")]
Streams = Annotated[
    int | None,
    Ge(1),
    Field(description="requests computed side by side on a share of the cores each; None: the hint's"),
]
Said = Annotated[Foreign, Field(description="what a file takes that does not say so itself")]
Extension = Annotated[Path | None, Field(description="library with operations that OpenVINO does not have itself")]


class OpenVINORuntime:
    """Opens IR and ONNX files. device: auto and cpu are the CPU, others as in OpenVINO; precision: f32, bf16, f16.

    uint8 RGB goes in as it is and is converted in the compiled graph. Without a precision the graph computes in f32:
    OpenVINO's own choice is bf16 on many CPUs, which moves embeddings. A graph is compiled for each size of batch that
    comes, never for a free one: that is 5 to 20 % faster, and INT8 graphs with a free batch can crash a CPU with AMX.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".xml", ".onnx")

    def __init__(
        self,
        hint: Hint = "throughput",
        chunk: Chunk = 8,
        foreign: Said = Foreign(),  # noqa: B008 - frozen
        extension: Extension = None,
        streams: Streams = None,
        *,
        path: Path,
        device: str,
        precision: str | None,
    ) -> None:
        if extension:
            extend(extension)
        self._core = engine()
        self.device = _device(self._core, device)
        self.precision = _precision(precision)
        graph = read_graph(path, extension)
        self.info, self.stated = read_info(graph, path, foreign)
        self.batch = image_input(graph, path).batch
        self._path = path
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": hint.upper(),
            "INFERENCE_PRECISION_HINT": self.precision,
            **({} if streams is None else {"NUM_STREAMS": streams}),
        }
        self._graph = _taking_pictures(graph, embedding_output(graph, path, foreign.output), self.info)
        self.chunk = self.batch or chunk
        self._queues: dict[int, Any] = {}
        self.requests = len(self._queue(self.chunk))

    @property
    def streams(self) -> int:
        """How many requests the engine computes side by side."""
        with explained(f"{self._path}: {self.device} has no streams"):
            return int(self._queue(self.chunk)[0].get_compiled_model().get_property("NUM_STREAMS"))

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> embeddings [B, D] float32."""
        vectors = np.empty((len(images), self.info.embedding_dim), np.float32)
        full = len(images) // self.chunk * self.chunk
        # One by one what fills no chunk, but a fixed batch is padded.
        step = self.chunk if self.batch else 1
        starts = [*range(0, full, self.chunk), *range(full, len(images), step)]
        ends = [*starts[1:], len(images)][: len(starts)]

        def keep(index: int, embeddings: Float32) -> None:
            vectors[starts[index] : ends[index]] = embeddings

        self.embed_stream((images[start:end] for start, end in zip(starts, ends, strict=True)), keep)
        return vectors

    def feature_maps(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> the maps that the network pools [B, C, h, w].

        InputError for a graph that has none, as where an image is a row of tokens to the end.
        """
        found = []
        for image in images:
            maps = self._mapping.infer({0: np.repeat(image[None], self.batch or 1, axis=0)})[0][:1]
            found.append(np.moveaxis(maps, 3, 1) if self._channels_last else maps)
        return np.concatenate(found).astype(np.float32)

    def embed_stream(self, batches: Iterable[UInt8], done: Callable[[int, Float32], None]) -> None:
        """Embed every batch, several at once; the next one is drawn when a request is free for it.

        done takes the number of a batch, from 0, and its embeddings [B, D], in the order of completion, from threads of
        the engine; the array is valid during the call only. What done raises ends the stream and is raised here.
        A file with a fixed batch takes batches up to its size.
        """

        failures: list[Exception] = []

        def finish(request: Any, job: tuple[int, int]) -> None:
            index, count = job
            try:
                output = request.get_output_tensor().data
                done(index, output.reshape(len(output), -1)[:count])
            except Exception as error:  # It would abort the process in the engine's thread.
                failures.append(error)

        used: dict[int, Any] = {}
        with explained(f"{self._path}: OpenVINO fails on {self.device}"):
            try:
                for index, images in enumerate(batches):
                    size = self.batch or len(images)
                    if size not in used:
                        used[size] = self._queue(size)
                        used[size].set_callback(finish)
                    queue = used[size]
                    # Into the request's own memory: a copy is cheaper than showing the engine new memory each time.
                    pictures = queue[queue.get_idle_request_id()].get_input_tensor().data
                    if images[:0].shape != pictures[:0].shape or images.dtype != np.uint8 or len(images) > size:
                        given = f"{images.dtype} {images.shape}"
                        raise InputError(f"{self._path}: takes pictures uint8 {pictures.shape}, not {given}")
                    pictures[: len(images)] = images
                    queue.start_async(userdata=(index, len(images)))
                    queue.get_idle_request_id()
                    if failures:
                        break
            finally:
                for queue in used.values():
                    queue.wait_all()
        if failures:
            raise failures[0]

    @cached_property
    def _mapping(self) -> Any:
        """A request for one image, or for as many as the file takes, whose output is the map behind the embedding."""
        from openvino import Model

        found = pooled_map(self._graph)
        if found is None:
            reason = "nothing that it pools is a map [B, C, h, w]"
            raise InputError(f"{self._path}: {reason}", "give the checkpoint it was made from")
        self._channels_last = found.channels_last
        # Of a copy: an output ties what it is put on to the graph it is put in.
        exposed = Model([found.output], self._graph.get_parameters()).clone()
        return self._compiled(self.batch or 1, exposed).create_infer_request()

    def _queue(self, size: int) -> Any:
        """The requests for batches of `size`, compiled when they are first asked for."""
        from openvino import AsyncInferQueue

        if size not in self._queues:
            compiled = self._compiled(size, self._graph)
            self._queues[size] = AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        return self._queues[size]

    def _compiled(self, size: int, graph: Any) -> Any:
        with explained(f"{self._path}: OpenVINO does not compile it for {self.device} and batches of {size}"):
            graph.reshape({graph.inputs[0]: [size, *self.info.image.size, 3]})
            compiled = self._core.compile_model(graph, self.device, self._settings)
            actual = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if actual != self.precision:
            instead = f"OpenVINO takes {actual} in its place"
            raise InputError(f"{self.device} computes no {self.precision} here: {instead}", f"choose {actual}")
        return compiled


def _taking_pictures(graph: Any, embedding: Any, info: ArtefactInfo) -> Any:
    """The graph with uint8 RGB [B, H, W, 3] for input, the embeddings alone for output, and the conversion inside."""
    from openvino import Layout, Model, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    graph = Model([embedding], graph.get_parameters())
    taken = prefer("rgb", graph, info)
    steps = PrePostProcessor(graph)
    pictures = steps.input()
    pictures.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.RGB)
    pictures.model().set_layout(Layout(info.layout.upper()))
    conversion = pictures.preprocess()
    if taken == "bgr":
        # Of bytes, for OpenVINO swaps colours slowly, and floats are four times as many.
        conversion.convert_color(ColorFormat.BGR)
    if info.pixels == "normalized":
        conversion.convert_element_type(Type.f32)
        normalize(conversion, info.image, taken)
    steps.output().tensor().set_element_type(Type.f32)
    return steps.build()


def _precision(asked: str | None) -> str:
    if asked not in (None, *PRECISIONS):
        raise InputError(f"OpenVINO computes no '{asked}'", f"choose {', '.join(PRECISIONS)}")
    return asked or "f32"


def _device(core: Any, name: str) -> str:
    wanted = "CPU" if name.lower() in ("auto", "cpu") else name.upper()
    if wanted.partition(".")[0] not in {device.partition(".")[0] for device in core.available_devices}:
        raise InputError(f"OpenVINO finds no device '{name}' here", f"there are: {', '.join(core.available_devices)}")
    return wanted
