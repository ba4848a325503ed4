"""The whole command line as one Typer application, for the documentation tool of Typer."""

from reidctl.cli.app import build_whole

app = build_whole()
