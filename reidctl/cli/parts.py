"""`reidctl losses|transforms|batch_transforms|runtimes|loggers|… list|info`: what is registered, and what it takes."""

from typing import Annotated, Any

import typer

from reidctl import registry as registries
from reidctl.cli.options import Json, names_of
from reidctl.cli.output import output
from reidctl.registry import Registry

Family = Annotated[
    str | None,
    typer.Option("--family", metavar="NAME", help="Every member of the family NAME/* instead.", show_default=False),
]


def listing(registry: Registry) -> typer.Typer:
    """The `list` and `info` commands of one kind of part."""
    kind, kinds = (name.replace("_", " ") for name in (registry.kind, registry.plural))
    article = "an" if kind[0] in "aeiou" else "a"
    app = typer.Typer(help=f"The registered {kinds}.", no_args_is_help=True)

    @app.command("list", help=f"Name every registered {kind}, importing none; families as `name/*`.")
    def list_(family: Family = None, json: Json = False) -> None:
        rows = [entry_row(registry, name) for name in (registry.members(family) if family else registry.names())]
        if json:
            output.json(f"reidctl.{registry.plural}/1", {registry.plural: rows})
        else:
            output.table(
                ["name", "package", "version"], [[row["name"], row["package"], row["version"]] for row in rows]
            )

    if registry is not registries.presets:

        @app.command("info", help=f"Show what {article} {kind} is and which parameters it takes.")
        def info(
            name: Annotated[str, typer.Argument(autocompletion=names_of(registry), show_default=False)],
            json: Json = False,
        ) -> None:
            describe(registry, name, json)

    return app


def entry_row(registry: Registry, name: str) -> dict[str, str]:
    """What the metadata says of one part."""
    entry = registry.find(name)
    return {"name": name, "package": entry.package, "version": entry.version, "target": entry.target}


def describe(registry: Registry, name: str, json: bool) -> None:
    """Print docstring and parameters of one part."""
    import inspect

    parameters = parameter_rows(registry, name)
    about = inspect.getdoc(registry.load(name)) or ""
    if json:
        values = {**entry_row(registry, name), "description": about, "parameters": parameters}
        output.json(f"reidctl.{registry.kind}/1", values)
        return
    output.text(f"{name} · {registry.find(name).origin}\n\n{about}\n")
    if parameters:
        columns = ["parameter", "type", "default", "meaning"]
        output.table(columns, [[row[key] for key in ("name", "type", "default", "meaning")] for row in parameters])


def parameter_rows(registry: Registry, name: str) -> list[dict[str, Any]]:
    """Name, type with range, default (as JSON, `required` where there is none) and meaning of each parameter."""
    from reidctl.fields import field_rows

    return field_rows(registry.parameters(name))


losses = listing(registries.losses)
transforms = listing(registries.transforms)
batch_transforms = listing(registries.batch_transforms)
runtimes = listing(registries.runtimes)
loggers = listing(registries.loggers)
