"""`reidctl export onnx|ir`: networks as other engines take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from reidctl.cli.comparing import Images, NoVerify, images_named
from reidctl.cli.export_options import MAX_DROP, Calibration, Input, MaxDrop, Weights
from reidctl.cli.options import Data, Force, Json, Root, complete_model
from reidctl.cli.output import output
from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.export import Exported, Goal
    from reidctl.types import ReidData, Sample

app = typer.Typer(help="Convert networks to ONNX and OpenVINO IR.", no_args_is_help=True)


@app.command()
def onnx(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint, run folder, or preset (random weights).",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
    path: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("model.onnx"),
    batch: Annotated[str, typer.Option("--batch", help="dynamic, or the number of images.")] = "dynamic",
    opset: Annotated[int, typer.Option("--opset", help="Version of the operator set, from 18.")] = 18,
    l2_normalize: Annotated[bool, typer.Option("--l2-normalize", help="Divide embeddings by their length.")] = False,
    raw_input: Annotated[bool, typer.Option("--raw-input", help="Take RGB 0…255: mean and std inside.")] = False,
    data: Data = [],
    root: Root = None,
    images: Images = None,
    no_verify: NoVerify = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the exporter says.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Convert a checkpoint (or a preset with random weights) to one ONNX file, checked against the network.

    The check is that of `reidctl verify`, on --data, --images, or drawn pedestrians; a file that fails is not written.
    """
    from reidctl.export.onnx import export_onnx, onnx_path
    from reidctl.files import refuse_existing

    path = onnx_path(path)
    refuse_existing(path, force)
    samples = _compared_on(data, root, images, no_verify)
    told: list[Exported] = []
    export_onnx(
        model,
        path,
        batch=_batch(batch),
        opset=opset,
        l2_normalize=l2_normalize,
        raw_input=raw_input,
        samples=samples,
        verify=not no_verify,
        verbose=verbose,
        told=told.append,
    )
    _tell(told[0], json)


@app.command()
def ir(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", show_default=False)],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to write .xml and .bin into.")] = Path(),
    weights: Weights = "fp32",
    calib: Calibration = None,
    max_drop: MaxDrop = None,
    input_: Input = "bgr",
    batch: Annotated[str, typer.Option("--batch", help="dynamic, or the number of images.")] = "1",
    data: Data = [],
    root: Root = None,
    images: Images = None,
    no_verify: NoVerify = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Convert an ONNX file to OpenVINO IR with the preprocessing inside, checked against the ONNX file.

    The check is that of `reidctl verify`; a pair that fails is not written. With int8, as few layers as
    --max-drop needs stay in floating point.
    """
    from reidctl.export import export_ir
    from reidctl.files import refuse_existing

    for suffix in (".xml", ".bin"):
        refuse_existing(folder / f"{model.stem}{suffix}", force)
    if weights != "int8" and (calib or max_drop):
        named = "--calib" if calib else "--max-drop"
        raise ConfigError(f"{named} is about --weights int8 alone", "leave it out, or add --weights int8")
    if weights == "int8" and not (calib or data):
        raise ConfigError(
            "--weights int8: no images to quantise on", "write --calib FOLDER, or name a test: --data NAME"
        )
    known = _calibration(calib, data, root) if weights == "int8" else None
    goal = _goal(max_drop, known, data, root) if known else None
    told: list[Exported] = []
    export_ir(
        model,
        folder,
        weights=weights,
        input=input_,
        batch=_batch(batch),
        calibration=known.train if known else (),
        goal=goal,
        samples=_compared_on([] if goal else data, root, images, no_verify),
        verify=not no_verify,
        told=told.append,
    )
    _tell(told[0], json)


def _compared_on(data: list[str], root: Path | None, images: Path | None, no_verify: bool) -> tuple[Sample, ...]:
    if no_verify and (data or images):
        raise ConfigError("--no-verify compares nothing: --data and --images name what to compare on", "leave it out")
    samples, targets = images_named(data, root, images)
    return samples or tuple(sample for target in targets for sample in (*target.query, *target.gallery))


def _calibration(calib: str | None, data: list[str], root: Path | None) -> ReidData:
    """The images to quantise on as training images; of a data set with its test, if it has one.

    Without --calib they are those of the first data set to test on.
    """
    from dataclasses import replace

    from reidctl.cli.targets import DEFAULT_ROOT, open_data
    from reidctl.data.listing import listed_images
    from reidctl.types import ReidData

    text = calib or data[0]
    if calib and not text.startswith("{") and (Path(text).exists() or "/" in text.partition("=")[0]):
        # They are nobody's, which training images of a data set cannot be.
        return ReidData("calibration", train=tuple(replace(s, identity=0) for s in listed_images(Path(text))))
    known = open_data(text, root or DEFAULT_ROOT)
    if not known.train:
        raise ConfigError(
            f"{text}: the data set has no training images to quantise on", "name others: --calib FOLDER|NAME"
        )
    return known


def _goal(max_drop: str | None, calibration: ReidData, data: list[str], root: Path | None) -> Goal | None:
    from reidctl.cli.targets import open_targets
    from reidctl.export import Goal

    name, _, value = (max_drop or MAX_DROP).partition("=")
    try:
        allowed = float(value)
    except ValueError:
        allowed = -1.0
    if name not in ("mAP", "rank1") or not 0 <= allowed < 1:
        raise ConfigError(f"--max-drop {max_drop}: not mAP or rank1 and a fraction of 1", "write --max-drop mAP=0.005")
    metric = cast(Literal["mAP", "rank1"], name)
    if data:
        targets = open_targets(data, root, None)
        if len(targets) > 1:
            raise ConfigError(f"--data: a goal is about one test, not {len(targets)}", "name one data set")
        return Goal(targets[0], allowed, metric)
    if calibration.query and calibration.gallery:
        return Goal(calibration, allowed, metric)
    if max_drop:
        raise ConfigError(f"--max-drop {max_drop}: nothing to measure it on", "name a test: --data NAME")
    return None


def _tell(made: Exported, json: bool) -> None:
    if json:
        output.json("reidctl.export/1", made.as_dict())
    else:
        output.text(str(made.path))
    found, quantization = made.verification, made.quantization
    if found and found.difference:
        least, mean = found.difference.cosine_min, found.difference.cosine_mean
        output.note(f"{found.images} images: cosine to {found.a} ≥ {least:.6f}, mean {mean:.6f}")
    if quantization is None:
        return
    floating = ", ".join(quantization.floating) or "none"
    output.note(f"int8: of {quantization.layers} layers in floating point: {floating}")
    if quantization.before is not None and quantization.after is not None:
        change = f"{quantization.before:.4f} before, {quantization.after:.4f} after"
        output.note(f"{quantization.target}: {quantization.metric} {change}")
    else:
        output.note("accuracy was not measured: --data NAME names a test to keep it on")


def _batch(text: str) -> int | Literal["dynamic"]:
    if text == "dynamic":
        return "dynamic"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--batch {text}: neither 'dynamic' nor a number from 1", "write --batch 8")
