"""`reidctl presets list|info`: the configurations that ship with installed packages."""

from __future__ import annotations

from typing import Annotated

import typer

from reidctl import registry
from reidctl.cli.options import Json, names_of
from reidctl.cli.output import output
from reidctl.cli.parts import entry_row, listing
from reidctl.errors import PluginError

app = listing(registry.presets)


@app.command("list", help="Name every preset and what it is.")
def list_(json: Json = False) -> None:
    """Name every preset and what it is."""
    rows = [{**entry_row(registry.presets, name), "title": _title(name)} for name in registry.presets.names()]
    if json:
        output.json("reidctl.presets/1", {"presets": rows})
    else:
        output.table(["name", "title", "package"], [[row["name"], row["title"], row["package"]] for row in rows])


@app.command("info", help="Print a preset's file.")
def info(
    name: Annotated[str, typer.Argument(autocompletion=names_of(registry.presets), show_default=False)],
    json: Json = False,
) -> None:
    """Print a preset's file."""
    from reidctl.config.presets import preset_path, read_preset

    if json:
        values = {**entry_row(registry.presets, name), "values": read_preset(name).values}
        output.json("reidctl.preset/1", values)
    else:
        output.text(preset_path(name).read_text(encoding="utf-8", errors="replace"))


def _title(name: str) -> str:
    """A broken preset has none; it is one warning, and the others are listed."""
    from reidctl.config.presets import preset_title

    try:
        return preset_title(name)
    except PluginError as error:
        output.warning(str(error))
        return ""
