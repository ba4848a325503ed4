"""`reidctl zoo list|download`: networks that others published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import Json
from reidctl.cli.output import output

app = typer.Typer(help="Networks that others published.", no_args_is_help=True)


def _complete(incomplete: str) -> list[str]:
    from reidctl.zoo import networks

    return [name for name in networks() if name.startswith(incomplete)]


@app.command("list")
def list_(json: Json = False) -> None:
    """Name the known networks, their licence and their size."""
    from reidctl.zoo import networks

    found = networks()
    if json:
        output.json("reidctl.zoo/1", {"networks": {name: network.model_dump() for name, network in found.items()}})
        return
    rows = [
        [
            name,
            network.about,
            len(network.files),
            sum(file.bytes or 0 for file in network.files) or None,
            network.licence,
        ]
        for name, network in found.items()
    ]
    output.table(["name", "what it is", "files", "bytes", "licence"], rows)


@app.command()
def download(
    name: Annotated[str, typer.Argument(autocompletion=_complete, show_default=False)],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to write below.")] = Path("zoo"),
    only: Annotated[str | None, typer.Option("--only", help="Only files whose path begins so, e.g. FP16.")] = None,
) -> None:
    """Fetch a network's files, resuming and checking each; prints their paths."""
    from reidctl.zoo import download as fetch
    from reidctl.zoo.catalogue import network

    total = sum(file.bytes or 0 for file in network(name).files if only is None or file.path.startswith(only))
    with output.progress(f"download {name}", total or None) as advance:
        paths = fetch(name, folder, only, advance)
    for path in paths:
        output.text(str(path))
