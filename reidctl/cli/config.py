"""`reidctl config show|init|validate|schema|convert`: a run's configuration, and where its values come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reidctl.cli.options import Files, Force, Json, Preset, Root, Sets, root_layer
from reidctl.cli.output import output

app = typer.Typer(help="Show, write, check and convert configurations.", no_args_is_help=True)

Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write instead of stdout.", show_default=False)
]


@app.command()
def show(
    preset: Preset = None,
    config: Files = [],
    set_: Sets = [],
    root: Root = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say behind each value where it came from.")] = False,
    json: Json = False,
) -> None:
    """Print the whole configuration that these options, files and variables make."""
    from reidctl.config import load_config
    from reidctl.config.render import render, render_origins

    loaded = load_config(preset, config, set_, root_layer(root))
    if json:
        origins = {".".join(map(str, path)): str(source) for path, source in loaded.given.origins.items()}
        values = {"config": loaded.values}
        output.json("reidctl.config/1", {**values, "origins": origins} if origin else values)
    else:
        output.text(render_origins(loaded) if origin else render(loaded.values))


@app.command()
def init(preset: Preset = None, path: Out = None, force: Force = False) -> None:
    """Write a commented file to start from."""
    from reidctl.config import load_config
    from reidctl.config.render import render_starter

    _emit(render_starter(load_config(preset).config), path, force)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Files, laid over each other.", show_default=False)],
    preset: Preset = None,
    set_: Sets = [],
    json: Json = False,
) -> None:
    """Check every key, value and parameter of a configuration; exit 2 when something is wrong."""
    from reidctl.config import load_config
    from reidctl.config.parts import check_parts, parts

    loaded = load_config(preset, files, set_)
    check_parts(loaded)
    named = [f"{registry.kind} {spec.name}" for _, registry, spec in parts(loaded.config)]
    if json:
        output.json("reidctl.validate/1", {"ok": True, "parts": named})
    else:
        output.text(f"ok: {', '.join(map(str, files))} ({len(named)} parts checked)")


@app.command()
def schema(path: Out = None, force: Force = False) -> None:
    """Print the JSON Schema of a configuration, for editors that complete and check as one types."""
    import json as json_

    from reidctl.config.json_schema import json_schema

    _emit(json_.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", path, force)


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(help="YAML of the original toolkit (deep-object-reid, torchreid).", show_default=False)
    ],
    path: Out = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Convert a configuration of the original toolkit, listing every key that has no counterpart."""
    from reidctl.config.legacy import convert as convert_file

    conversion = convert_file(file)
    for key, value, reason in conversion.dropped:
        output.warning(f"{key}: {value!r} has no counterpart: {reason}")
    for note in [*conversion.unknown, *conversion.notes]:
        output.warning(str(note))
    if path or not json:
        _emit(conversion.text(), path, force)
    if json:
        found = {
            "config": conversion.values,
            "dropped": [{"key": key, "value": value, "reason": reason} for key, value, reason in conversion.dropped],
            "unknown": [{"key": item.key, "value": item.value, "near": item.near} for item in conversion.unknown],
            "notes": conversion.notes,
        }
        output.json("reidctl.convert/1", found)


def _emit(text: str, path: Path | None, force: bool) -> None:
    if path is None:
        output.text(text)
        return
    from reidctl.files import refuse_existing, write_text

    refuse_existing(path, force)
    write_text(path, text)
    output.note(f"wrote {path}")
