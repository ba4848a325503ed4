"""The `reidctl` command, put together from the registered ones: only what this call needs is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from reidctl import __version__
from reidctl.cli.help import WIDTH, Group
from reidctl.cli.output import output
from reidctl.cli.summaries import SUMMARIES
from reidctl.plugins import FILES, OWN
from reidctl.registry import Entry, commands

GLOBAL_FLAGS = ("--debug", "--quiet", "-q", "--no-color")
PLUGIN = "--plugin="


def globals_first(arguments: Sequence[str]) -> list[str]:
    """Move the global flags to the front, so that they may stand anywhere on the line (up to a `--`).

    `-P FILE` and `-PFILE` become the one word `--plugin=FILE`.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags, rest, words = [], [], iter(arguments[:end])
    for word in words:
        if word in ("-P", "--plugin"):
            value = next(words, None)
            flags.append(word if value is None else f"{PLUGIN}{value}")
        elif word.startswith("-P"):
            flags.append(f"{PLUGIN}{word.removeprefix('-P')}")
        elif word in GLOBAL_FLAGS or word.startswith(PLUGIN):
            flags.append(word)
        else:
            rest.append(word)
    return [*flags, *rest, *arguments[end:]]


def name_plugins(arguments: Sequence[str]) -> None:
    """Let the registry know of what `-P` named, in this process and in those that it starts."""
    named = [word.removeprefix(PLUGIN) for word in arguments if word.startswith(PLUGIN)]
    if named:
        files = [str(Path(text).absolute()) if text.endswith(".py") else text for text in named]
        os.environ[FILES] = os.pathsep.join(files)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application for this command line: the named command alone, or a listing of all where none is named."""
    name_plugins(arguments)
    # What a plugin is warned of when it is imported is to be a line like any other.
    output.configure(quiet=False, no_color="--no-color" in arguments, debug="--debug" in arguments)
    if "_REIDCTL_COMPLETE" in os.environ:
        return build_whole()
    app = _application()
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    if named and any(named in (entry.name, f"{entry.package}:{entry.name}") for entry in commands.entries):
        _add(app, named, commands.load(named))
        return app
    if named:
        commands.require_not_elsewhere(named)
    for name, entry in _in_order():
        _add_stub(app, name, entry)
    return app


def build_whole() -> typer.Typer:
    """The application with every command, those of other packages by name only."""
    app = _application()
    for name, entry in _in_order():
        if entry.package == OWN:
            _add(app, name, entry.load())
        else:
            _add_stub(app, name, entry)
    return app


def _application() -> typer.Typer:
    app = typer.Typer(
        cls=Group,
        help="Person re-identification for real cameras: train, evaluate, export, benchmark.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # The pages are ours.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    )
    app.callback()(_globals)
    return app


def _in_order() -> list[tuple[str, Entry]]:
    """Every command as it is called, those of the table of summaries first."""
    places = list(SUMMARIES)
    pairs = zip(commands.names(), commands.entries, strict=True)
    return sorted(pairs, key=lambda pair: places.index(pair[1].name) if pair[1].name in SUMMARIES else len(places))


def _add(app: typer.Typer, name: str | None, command: Any) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, cls=Group)
    else:
        app.command(name)(command)


def _add_stub(app: typer.Typer, name: str, entry: Entry) -> None:
    """List a command without importing it."""

    def stands_for() -> None:
        raise AssertionError(f"{name} is imported when it is named")

    if entry.package == OWN:
        app.command(name, help=SUMMARIES[entry.name])(stands_for)
    else:
        app.command(name, help=f"From {entry.package} {entry.version}.", rich_help_panel="Plugins")(stands_for)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reidctl {__version__}")
        raise typer.Exit


def _globals(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the result and errors.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours (so does NO_COLOR=1).")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and the log (so does REIDCTL_DEBUG=1).")
    ] = False,
    plugin: Annotated[
        list[str],
        typer.Option(
            "--plugin", "-P", metavar="MODULE|FILE.py", help="Parts of a module without a package; repeatable."
        ),
    ] = [],
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    output.configure(quiet=quiet, no_color=no_color, debug=debug or bool(os.environ.get("REIDCTL_DEBUG")))
