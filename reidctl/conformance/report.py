"""What is asked of a part, and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from reidctl.types import Spec

Outcome = Literal["ok", "failed", "skipped"]
Status = Literal["ok", "broken", "incomplete"]


@dataclass(frozen=True)
class Question:
    """A part to check, and what nobody but the user knows: its parameters, the folder of data sets, a file to open."""

    kind: str
    spec: Spec
    root: Path | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Step:
    """One step of a check.

    detail: why it failed or was skipped, else what was measured; warnings: what the part was warned of meanwhile.
    """

    name: str
    outcome: Outcome
    detail: str = ""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass
class Report:
    """The steps that a part was taken through, in order; one that fails or is skipped is the last."""

    question: Question
    steps: list[Step] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """broken where a step failed; incomplete where one could not be carried out."""
        outcomes = {step.outcome for step in self.steps}
        return "broken" if "failed" in outcomes else "incomplete" if "skipped" in outcomes else "ok"

    @property
    def problem(self) -> str:
        """What failed or was skipped, else what was warned of; nothing where all is well."""
        for step in self.steps:
            if step.outcome != "ok":
                return f"{step.name}: {step.detail}"
        return "; ".join(dict.fromkeys(warning for step in self.steps for warning in step.warnings))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        steps = [{**asdict(step), "warnings": list(step.warnings)} for step in self.steps]
        return {"status": self.status, "problem": self.problem, "steps": steps}
