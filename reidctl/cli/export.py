"""`reidctl export onnx|ir`: networks as other engines take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reidctl.cli.options import Force, Model
from reidctl.cli.output import output
from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.types import Sample

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
        Literal["fp32", "fp16", "int8"],
        typer.Option("--weights", help="fp16 halves the file; int8 quantises weights and maps, and needs --calib."),
    ] = "fp32",
    calib: Annotated[
        str | None,
        typer.Option(
            "--calib",
            metavar="FOLDER|NAME[=DIR]",
            help="Images like those it will see, to quantise on: a folder, or a data set's training images.",
            show_default=False,
        ),
    ] = None,
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
    if (weights == "int8") != (calib is not None):
        raise ConfigError("--weights int8 and --calib go together", "write --weights int8 --calib FOLDER")
    samples = _calibration(calib) if calib else ()
    made = export_ir(model, folder, weights=weights, input=input_, batch=_batch(batch), calibration=samples)
    output.text(str(made))


def _calibration(text: str) -> tuple[Sample, ...]:
    from reidctl.cli.targets import DEFAULT_ROOT, open_data
    from reidctl.data.listing import listed_images

    if Path(text).is_dir():
        return listed_images(Path(text))
    data = open_data(text, DEFAULT_ROOT)
    return data.train or data.gallery


def _batch(text: str) -> int | Literal["dynamic"]:
    if text == "dynamic":
        return "dynamic"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--batch {text}: neither 'dynamic' nor a number from 1", "write --batch 8")
