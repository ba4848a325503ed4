"""The section `train.teacher`."""

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import Field

from reidctl.types import StrictModel


class TeacherConfig(StrictModel):
    """A trained network whose embeddings the losses may ask for, as the `distill_…` losses do."""

    model: Annotated[Path, Field(description="checkpoint, ONNX file, IR (.xml) or run folder")]
    images: Annotated[
        Literal["augmented", "clean"],
        Field(
            description="what it sees: augmented, the very images of each batch, one more forward pass; clean, each "
            "training image once, before the first epoch, as in testing"
        ),
    ] = "augmented"
    device: Annotated[str, MinLen(1), Field(description="auto, cpu, or what its runtime calls its devices")] = "auto"
    precision: Annotated[Literal["f32", "bf16", "f16"] | None, Field(description="its arithmetic; null for f32")] = None
