"""The pages of `--help`: headings and aligned columns, as wide as the terminal, coloured where colours are wanted.

Typer's own pages are drawn by rich, whose import takes longer than everything else that a page needs.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from reidctl.cli.output import output

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
else:
    # Typer carries its own copy of Click, whose name is private, and offers this class of it nowhere else.
    HelpFormatter = typer.Context.formatter_class

WIDTH = 100
"""Columns of a page on a wider terminal: longer lines are hard to read."""
_COMMANDS = "Commands"


class _Page(HelpFormatter):
    """A page in which headings are bold and what can be typed is coloured; on no terminal Click takes colours out."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """How the command is called."""
        super().write_usage(prog, args, _styled(prefix or "Usage:", bold=True) + " ")

    def write_heading(self, heading: str) -> None:
        """What stands over a section."""
        super().write_heading(_styled(heading, bold=True))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """What can be typed, and behind it what it means."""
        super().write_dl([(_styled(first, fg="cyan"), second) for first, second in rows], col_max, col_spacing)


class _Context(typer.Context):
    formatter_class = _Page


class Group(TyperGroup):
    """A command with commands below it, each with its whole first paragraph on the page."""

    context_class = _Context

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command called `cmd_name`, whose page is to be one of these."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.context_class = _Context
        return command

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """A section for each panel that commands are in."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            if not command.hidden:
                panel = getattr(command, "rich_help_panel", None) or _COMMANDS
                sections.setdefault(panel, []).append((name, summary(command.help or "")))
        for panel, rows in sections.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def summary(text: str) -> str:
    """The first paragraph of a help text in one line."""
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())


def _styled(text: str, **style: Any) -> str:
    return text if output.no_color else typer.style(text, **style)
