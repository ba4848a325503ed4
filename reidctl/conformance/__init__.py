"""Whether parts keep the contracts of their kinds, found out in a process that may hang or crash."""

from reidctl.conformance.process import examine
from reidctl.conformance.report import Question, Report, Step

__all__ = ["Question", "Report", "Step", "examine"]
