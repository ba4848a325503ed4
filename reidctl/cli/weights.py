"""What became of a file's weights, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reidctl.cli.output import output

if TYPE_CHECKING:
    from reidctl.weights import Report

MOST = 20
"""Lines of a kind; --json and train.log have them all."""


def show_report(report: Report) -> None:
    """The counts on stderr, then names, shapes and reasons of what was left out on either side."""
    summary, *left_out = report.lines(loaded=False, most=MOST)
    output.note(summary)
    for line in left_out:
        output.note(f"  {line}")
