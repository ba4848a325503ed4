"""Options and arguments that several commands share, with their shell completion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reidctl.registry import Registry, datasets, presets

if TYPE_CHECKING:
    from reidctl.config.layers import Layer


def names_of(registry: Registry) -> Callable[[str], list[str]]:
    """Shell completion by the registered names; of a family the part that its members share, which imports nothing."""

    def complete(incomplete: str) -> list[str]:
        return [name.removesuffix("*") for name in registry.names() if name.startswith(incomplete)]

    return complete


def complete_model(incomplete: str) -> list[str]:
    """Presets, and the files and folders that could be a model."""
    suffixes = (".safetensors", ".onnx", ".xml")
    folder, _, _ = incomplete.rpartition("/")
    found = [name for name in presets.names() if name.startswith(incomplete)]
    for path in sorted(Path(folder or ".").glob("*")):
        text = f"{path}/" if path.is_dir() else str(path)
        if text.startswith(incomplete) and (path.is_dir() or path.suffix in suffixes):
            found.append(text)
    return found


def complete_data(incomplete: str) -> list[str]:
    """Data sets by name; a folder follows after `=`."""
    return [] if "=" in incomplete else names_of(datasets)(incomplete)


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A checkpoint, .onnx, .xml, run folder, or preset (random weights).",
        autocompletion=complete_model,
        show_default=False,
    ),
]
Preset = Annotated[
    str | None, typer.Option("--preset", "-p", help="Preset to start from.", autocompletion=names_of(presets))
]
Files = Annotated[
    list[Path], typer.Option("--config", "-c", help="YAML file laid over the preset; repeatable, later wins.")
]
Sets = Annotated[
    list[str], typer.Option("--set", "-s", metavar="KEY=VALUE", help="One value, e.g. train.epochs=5; repeatable.")
]
Root = Annotated[Path | None, typer.Option("--root", "-r", help="Folder that holds the data sets.", show_default=False)]
Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        "-d",
        metavar="NAME[=DIR]",
        help="Data set, its root after `=`, or {name: …, parameters}; repeatable. Default: the model's own targets.",
        autocompletion=complete_data,
        show_default=False,
    ),
]
OnBadImage = Annotated[
    Literal["error", "skip"] | None,
    typer.Option(
        "--on-bad-image",
        help="Stop at images that cannot be read, or leave them out. Default: as the model was trained.",
        show_default=False,
    ),
]
Images = Annotated[
    Path | None,
    typer.Argument(
        help="A folder of images, or a text file with one path a line; with --data alone its query and gallery.",
        show_default=False,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="NAME[=DIR]",
        help="Data set that knows who the images show, and which camera saw them.",
        autocompletion=complete_data,
        show_default=False,
    ),
]
UnreadableImages = Annotated[
    Literal["error", "skip"],
    typer.Option("--on-bad-image", help="Stop at images that cannot be read, or leave them out."),
]
StreamBatch = Annotated[
    int | None,
    typer.Option(
        "--batch-size", min=1, help="Images at once. Default: what the engine is best at.", show_default=False
    ),
]
Query = Annotated[
    str,
    typer.Argument(
        help="An image, a folder, a list, a feature file, or one row of it: FILE:NAME or FILE:NUMBER.",
        show_default=False,
    ),
]
Nearest = Annotated[int, typer.Option("--k", "-k", min=1, help="Results a query.")]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", "-t", min=0, max=2, help="Only what is closer than this.", show_default=False),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, or an OpenVINO device.")]
Precision = Annotated[
    Literal["f32", "bf16", "f16"] | None,
    typer.Option("--precision", help="Arithmetic of the network; f32 where accuracy is measured.", show_default=False),
]
InputFacts = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="bgr|rgb|…",
        help="What a foreign .xml or .onnx takes: bgr or rgb, raw or normalized, HxW, output=NAME, with commas.",
        show_default=False,
    ),
]
Extension = Annotated[
    Path | None,
    typer.Option("--extension", help="Library of further OpenVINO operations (.so).", show_default=False),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights", "-w", help="Start from the weights of a checkpoint, PyTorch or ONNX file.", show_default=False
    ),
]
AllowPartial = Annotated[
    bool, typer.Option("--allow-partial", help="Take weights that fit the network only in part, too.")
]
Umap = Annotated[bool, typer.Option("--umap", help="A map of the embeddings by UMAP in the report, too.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace what is already there.")]


def root_layer(root: Path | None) -> list[Layer]:
    """`--root DIR` as a layer of the configuration."""
    from reidctl.config.layers import Layer

    return [] if root is None else [Layer("--root", {"data": {"root": str(root)}})]
