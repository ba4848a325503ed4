"""`reidctl convert-weights`: foreign weights as a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import AllowPartial, Files, Force, Json, Preset, Sets, names_of
from reidctl.cli.output import output
from reidctl.cli.weights import show_report
from reidctl.errors import ConfigError
from reidctl.registry import models


def convert_weights(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="safetensors, PyTorch (.pth, .pt) or ONNX file.", show_default=False),
    ],
    path: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="Checkpoint to write.", show_default=False)],
    preset: Preset = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|{name: …}",
            help="Network that the weights are of, with its parameters.",
            autocompletion=names_of(models),
            show_default=False,
        ),
    ] = None,
    config: Files = [],
    set_: Sets = [],
    allow_partial: AllowPartial = False,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Unpickle a file that needs more than tensors: CODE IN IT RUNS with your rights. Only for files that "
            "you trust like a program.",
        ),
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make a checkpoint of weights from elsewhere: `reidctl convert-weights net.onnx net.safetensors -p retail-0267`.

    torchreid's and the original toolkit's files are read, ONNX files that keep the names of weights, and any
    safetensors file. The checkpoint is for every command that takes MODEL.
    """
    if not (preset or model or config or set_):
        raise ConfigError("weights of which network?", "say --preset NAME or --model NAME")
    from reidctl.cli.train import configured
    from reidctl.conversion import convert_weights as convert
    from reidctl.files import refuse_existing

    path = path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")
    refuse_existing(path, force)
    sets = [*([f"model={model}"] if model else []), *set_]
    settings = configured(preset, config, sets)
    report = convert(file, path, settings, allow_partial=allow_partial, trust_pickle=trust_pickle)
    if json:
        output.json("reidctl.convert-weights/1", {"checkpoint": str(path), "weights": report.as_dict()})
        return
    show_report(report)
    output.text(str(path))
