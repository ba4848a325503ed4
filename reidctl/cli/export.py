"""`reidctl export onnx|ir`: networks as other engines take them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from reidctl.cli.options import Force, Model
from reidctl.cli.output import output
from reidctl.errors import ConfigError

app = typer.Typer(help="Convert networks to ONNX and OpenVINO IR.", no_args_is_help=True)


@app.command()
def onnx(
    model: Model,
    path: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("model.onnx"),
    batch: Annotated[str, typer.Option("--batch", help="dynamic, or the number of images.")] = "dynamic",
    opset: Annotated[int, typer.Option("--opset", help="Version of the operator set.")] = 18,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the exporter says.")] = False,
    force: Force = False,
) -> None:
    """Convert a checkpoint (or a preset with random weights) to one ONNX file, checked against the network."""
    from reidctl.export import export_onnx
    from reidctl.files import refuse_existing

    refuse_existing(path, force)
    output.text(str(export_onnx(model, path, batch=_batch(batch), opset=opset, verbose=verbose)))


@app.command()
def ir(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", show_default=False)],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to write .xml and .bin into.")] = Path(),
    weights: Annotated[
        Literal["fp32", "fp16"], typer.Option("--weights", help="How weights are stored; fp16 halves the file.")
    ] = "fp32",
    input_: Annotated[
        Literal["bgr", "rgb", "normalized"],
        typer.Option(
            "--input", help="bgr and rgb take 0…255 and normalise inside; normalized takes what the ONNX file takes."
        ),
    ] = "bgr",
    batch: Annotated[str, typer.Option("--batch", help="dynamic, or the number of images.")] = "1",
    force: Force = False,
) -> None:
    """Convert an ONNX file to OpenVINO IR with the preprocessing inside, checked against the ONNX file."""
    from reidctl.export import export_ir
    from reidctl.files import refuse_existing

    refuse_existing(folder / f"{model.stem}.xml", force)
    output.text(str(export_ir(model, folder, weights=weights, input=input_, batch=_batch(batch))))


def _batch(text: str) -> int | Literal["dynamic"]:
    if text == "dynamic":
        return "dynamic"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--batch {text}: neither 'dynamic' nor a number from 1", "write --batch 8")
