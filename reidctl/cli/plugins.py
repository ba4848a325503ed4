"""`reidctl plugins list|check|new`: what installed packages offer, whether it works, and how to write one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reidctl.cli.options import Json
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ReidError, UnknownName, suggestion
from reidctl.registry import API_VERSION, REGISTRIES, Entry

app = typer.Typer(
    help="Parts that installed packages offer. Plugins run code: install only what you trust.", no_args_is_help=True
)

Kind = Annotated[str | None, typer.Option("--kind", "-k", help="Only this kind, e.g. loss.", show_default=False)]


@app.command("list")
def list_(
    kind: Kind = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Built-in parts too.")] = False,
    json: Json = False,
) -> None:
    """List every part with its package and version, importing none."""
    entries = [entry for entry in _entries(kind) if everything or kind or entry.package != "reidctl"]
    rows = [_row(entry) for entry in entries]
    if json:
        output.json("reidctl.plugins/1", {"api": API_VERSION, "plugins": rows})
        return
    columns = ["kind", "name", "package", "version", "status"]
    output.table(columns, [[row[column] for column in columns] for row in rows])
    if not rows:
        output.note("no plugin package is installed; --all lists the built-in parts")


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(help="Part to check; all where none is named.", show_default=False)
    ] = None,
    kind: Kind = None,
    json: Json = False,
) -> None:
    """Import parts and read their signatures; exit 1 when one is broken."""
    entries = [entry for entry in _entries(kind) if name in (None, entry.name, f"{entry.package}:{entry.name}")]
    if not entries:
        known = {entry.name for entry in _entries(kind)}
        raise UnknownName(
            f"no part named '{name}'", suggestion(name or "", known, "`reidctl plugins list --all` shows all")
        )
    rows = [{**_row(entry), **_import(entry)} for entry in entries]
    broken = [row for row in rows if row["status"] != "ok"]
    if json:
        output.json("reidctl.plugins-check/1", {"plugins": rows})
    else:
        columns = ["kind", "name", "package", "version", "status", "problem"]
        output.table(columns, [[row[column] for column in columns] for row in rows])
    if broken:
        raise CheckFailed(f"{len(broken)} of {len(rows)} parts do not work, the first: {broken[0]['problem']}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the package, e.g. reidctl-mine.", show_default=False)],
    kind: Annotated[str, typer.Option("--kind", "-k", help="model, dataset or loss.")] = "loss",
    folder: Annotated[Path, typer.Option("--folder", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a small plugin package that installs and passes its own test."""
    from reidctl.scaffold import write_package

    package = write_package(name, kind, folder)
    output.text(str(package))
    output.note(f"next: pip install -e {package} && pytest {package}")


def _entries(kind: str | None) -> list[Entry]:
    kinds = {registry.kind: registry for registry in REGISTRIES}
    if kind is None:
        return [entry for registry in REGISTRIES for entry in registry.entries]
    if kind not in kinds:
        raise UnknownName(f"no kind of part named '{kind}'", suggestion(kind, kinds, f"kinds: {', '.join(kinds)}"))
    return list(kinds[kind].entries)


def _row(entry: Entry) -> dict[str, Any]:
    api = "ok" if entry.api == API_VERSION else "no API version" if entry.api is None else f"API {entry.api}"
    return {
        "kind": entry.kind,
        "name": entry.name,
        "package": entry.package,
        "version": entry.version,
        "target": entry.target,
        "status": api,
    }


def _import(entry: Entry) -> dict[str, Any]:
    try:
        entry.load()
    except ReidError as error:
        return {"status": "broken", "problem": str(error)}
    return {"status": "ok", "problem": ""}
