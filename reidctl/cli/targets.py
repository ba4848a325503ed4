"""Models and data sets as commands name them.

MODEL is a checkpoint, `.onnx`, `.xml`, run folder or preset; a data set `market1501`, `market1501=DIR` or
`{name: synthetic, cameras: 4}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.cli.output import output
from reidctl.errors import ConfigError
from reidctl.types import ReidData, Sample, Spec

if TYPE_CHECKING:
    from reidctl.config import RunConfig
    from reidctl.config.evaluation import EvalConfig
    from reidctl.data.problems import Report
    from reidctl.data.sources import OnBadImage
    from reidctl.retrieval.features import Made
    from reidctl.runtimes.opening import ImageEmbedder
    from reidctl.types import Embeddings

DEFAULT_ROOT = Path("data")


@dataclass(frozen=True)
class OpenedModel:
    """A model ready to embed, and the configuration it was trained with where its file carries one."""

    embedder: ImageEmbedder
    config: RunConfig | None

    @property
    def settings(self) -> EvalConfig:
        """How it is tested unless options say otherwise."""
        from reidctl.config.evaluation import EvalConfig

        return self.config.eval if self.config else EvalConfig()


def open_model(
    model: str,
    device: str = "auto",
    precision: str | None = None,
    input_: str | None = None,
    extension: Path | None = None,
) -> OpenedModel:
    """Open MODEL for testing, ONNX and IR in a process of its own; input_, extension: the options of these names."""
    from reidctl.artefacts import locate
    from reidctl.cli.foreign import runtime_told
    from reidctl.runtimes import open_embedder

    found = locate(model)
    told = runtime_told(found, input_, extension) if isinstance(found, Path) else None
    if told is None and (input_ or extension):
        raise ConfigError(f"preset {model} knows what it takes", "leave --input and --extension out")
    # PyTorch raises where other engines may crash, and takes seconds to start.
    isolated = told is not None and told.name != "pytorch"
    embedder = open_embedder(model, device=device, precision=precision, runtime=told, isolated=isolated)
    return OpenedModel(embedder, embedder.config)


def made_by(opened: OpenedModel, model: str, input_: str | None, extension: Path | None) -> Made:
    """What a feature file says of the model that made it."""
    from reidctl import __version__
    from reidctl.artefacts import locate
    from reidctl.retrieval.features import Made

    found, info = locate(model), opened.embedder.info
    if info.weights_sha256 is None and isinstance(found, Path):
        # The same file that is taken to take something else gives other embeddings.
        digest = f"{_sha256(found)} {info.color_order} {info.pixels}"
        info = info.model_copy(update={"weights_sha256": digest})
    return Made(
        info,
        model=str(found.absolute() if isinstance(found, Path) else found),
        arithmetic=getattr(opened.embedder.runtime, "precision", None) or "f32",
        reidctl=__version__,
        input=input_,
        extension=str(extension.absolute()) if extension else None,
    )


def _sha256(path: Path) -> str:
    weights = path.with_suffix(".bin") if path.suffix.lower() == ".xml" else path
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def embed_target(
    model: OpenedModel, target: ReidData, flip: bool = False, batch_size: int | None = None
) -> tuple[Embeddings, Embeddings]:
    """The embeddings of a data set's query and gallery, with a bar while it goes on.

    Warns where a file that does not state its input seems to take the other order of colours.
    """
    from reidctl.retrieval import embed

    size = batch_size or model.settings.batch_size
    flip = flip or model.settings.flip
    _check_colors(model.embedder, target, size)
    with output.progress(f"embed {target.name}", len(target.query) + len(target.gallery)) as advance:
        query = embed(model.embedder, target.query, batch_size=size, flip=flip, progress=advance)
        gallery = embed(model.embedder, target.gallery, batch_size=size, flip=flip, progress=advance)
    return query, gallery


def _check_colors(embedder: ImageEmbedder, target: ReidData, batch_size: int) -> None:
    from reidctl.retrieval.channel_order import swapped_order_fits_better

    if embedder.stated:
        return
    with output.status("check the order of colours"):
        swapped = swapped_order_fits_better(embedder, target.query, target.gallery, batch_size)
    if swapped:
        order = embedder.info.color_order
        other = {"rgb": "bgr", "bgr": "rgb"}[order]
        output.warning(
            f"{embedder.source} tells the people of {target.name} apart better with red and blue swapped: it seems to "
            f"take {other.upper()}, not {order.upper()}; try --input {other}"
        )


def open_data(text: str, root: Path, report: Report | None = None) -> ReidData:
    """The data set that `text` names, below `root` unless it gives its own folder; its images are not looked at.

    report takes the files that its reader cannot use; without it the first is an error.
    """
    from reidctl.data.problems import refuse
    from reidctl.data.sources import open_dataset

    spec, own = parsed(text)
    return open_dataset(spec, own or root, report or refuse)


def listed_samples(images: Path | None, data: str | None = None, root: Path | None = None) -> Sequence[Sample]:
    """The images of a folder or list, nobody's; with `data` as that data set labels them, or its query and gallery.

    ConfigError where neither is given, InputError where there are no images.
    """
    from reidctl.data.listing import listed_images

    if data is None:
        if images is None:
            raise ConfigError("no images to embed", "give a folder, a list of paths, or --data NAME[=DIR]")
        return listed_images(images)
    from reidctl.data.labelling import labelled

    known = open_data(data, root or DEFAULT_ROOT)
    return labelled(listed_images(images), known) if images else (*known.query, *known.gallery)


def open_targets(
    texts: Sequence[str], root: Path | None, config: RunConfig | None, on_bad_image: OnBadImage | None = None
) -> list[ReidData]:
    """The data sets to test on: those named, else those of the model's own configuration; their images are checked.

    Raises ConfigError where neither names one, as with a foreign ONNX file, InputError for bad images, unless
    `on_bad_image` or else the model's configuration skips them.
    """
    from reidctl.data.sources import load_target, told_apart

    trained_at = config.data.root if config else DEFAULT_ROOT
    rule: OnBadImage = on_bad_image or (config.data.on_bad_image if config else "error")
    if texts:
        named = [parsed(text) for text in texts]
        return told_apart([load_target(spec, own or root or trained_at, rule) for spec, own in named])
    if config is None or not config.data.targets:
        raise ConfigError("no data set to test on", "name one: --data market1501 --root DIR")
    return told_apart([load_target(spec, root or trained_at, rule) for spec in config.data.targets])


def parsed(text: str, at: str = "--data") -> tuple[Spec, Path | None]:
    """NAME, NAME=PLACE or {name: …, parameters}: the part, and where its data are; errors begin with `at`."""
    if text.startswith("{"):
        from reidctl.config.reader import read_value
        from reidctl.validation import validate

        return validate(Spec, read_value(text, at), at=at), None
    name, _, folder = text.partition("=")
    if not name:
        raise ConfigError(f"{at} '{text}': a name is missing", "write NAME, NAME=PLACE or {name: NAME}")
    return Spec(name=name), Path(folder) if folder else None
