"""The options of `reidctl bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import complete_data, complete_model

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...",
        help="Checkpoints, .onnx, .xml, run folders or presets; the four retail presets where none is named.",
        autocompletion=complete_model,
        show_default=False,
    ),
]
Devices = Annotated[str, typer.Option("--device", help="CPU, GPU, … of OpenVINO, cpu or cuda of PyTorch; with commas.")]
Engines = Annotated[
    str,
    typer.Option(
        "--engine",
        help="openvino, and for checkpoints and presets eager and compiled, which are PyTorch; with commas. "
        "To compile takes a minute or two, the first time.",
    ),
]
Precisions = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="Arithmetics: f32, bf16, f16, with commas. Default: f32, and bf16 where the device has it.",
        show_default=False,
    ),
]
StoredWeights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Convert to IR with these weights first: fp32, fp16, int8, with commas. Default: files as they are.",
        show_default=False,
    ),
]
Batches = Annotated[str, typer.Option("--batch", help="Images a batch, with commas.")]
Hints = Annotated[
    str,
    typer.Option("--hint", help="latency: one batch at a time; throughput: as many as the engine likes; with commas."),
]
StreamCounts = Annotated[
    str,
    typer.Option("--streams", help="Batches computed side by side under throughput: auto, 1, 2, …, with commas."),
]
Starts = Annotated[
    str,
    typer.Option(
        "--from",
        help="ready: pictures of the network's size; frames: decoded pictures, resized on the way; "
        "jpeg: files, read, decoded and resized on the way; with commas.",
    ),
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time for each row, all repeats together.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Rounds through all rows, each in a new process.")]
TestData = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="NAME[=DIR]",
        help="Data set for mAP and rank-1 of each network, for the pictures of --from, and to calibrate INT8 on.",
        autocompletion=complete_data,
        show_default=False,
    ),
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write the rows as CSV, too.", show_default=False)
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png", help="Draw mAP against speed; needs --data.", show_default=False),
]
