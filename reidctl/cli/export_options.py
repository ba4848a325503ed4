"""The options of `reidctl export ir`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

MAX_DROP = "mAP=0.005"

Weights = Annotated[
    Literal["fp32", "fp16", "int8"],
    typer.Option("--weights", help="fp16 halves the file; int8 quantises weights and maps."),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calib",
        metavar="FOLDER|NAME[=DIR]",
        help="Images like those it will see, to quantise on: a folder, or a data set's training images, by itself "
        "those of --data.",
        show_default=False,
    ),
]
MaxDrop = Annotated[
    str | None,
    typer.Option(
        "--max-drop",
        metavar="mAP=X|rank1=X",
        help=f"What int8 may lose on the test of --data, or else of --calib; {MAX_DROP} where there is one.",
        show_default=False,
    ),
]
Input = Annotated[
    Literal["bgr", "rgb", "normalized", "u8-nhwc"],
    typer.Option(
        "--input",
        help="bgr and rgb take 0…255 and normalise inside; normalized takes what the ONNX file takes; "
        "u8-nhwc takes BGR frames of any size and resizes inside.",
    ),
]
