"""The course of a cosine softmax's scale over the epochs."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt
from pydantic import Field, model_validator

from reidctl.types import StrictModel

POWER = 1.2


class ScaleSchedule(StrictModel):
    """A scale that goes to another one, fast at first."""

    end: Annotated[float, Gt(0), Field(description="scale at last")]
    epochs: Annotated[float, Gt(0), Field(description="epochs after which it is reached")]
    hold: Annotated[float, Ge(0), Field(description="first epochs, of these, in which the scale stays")] = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> ScaleSchedule:
        if self.hold >= self.epochs:
            raise ValueError(f"hold {self.hold:g} leaves none of {self.epochs:g} epochs")
        return self

    def at(self, epoch: float, start: float) -> float:
        """The scale after `epoch` epochs, 2.5 being the middle of the third.

        With x = 0…1 from `hold` to `epochs`: start + (end - start) (x^p - p x) / (1 - p), p = 1.2.
        """
        x = min(max((epoch - self.hold) / (self.epochs - self.hold), 0.0), 1.0)
        course: float = (x**POWER - POWER * x) / (1 - POWER)
        return start + (self.end - start) * course
