"""`reidctl plugins list|check|new`: what installed packages offer, whether it works, and how to write one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import Json
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ConfigError, UnknownName, suggestion
from reidctl.installed import normalized
from reidctl.plugins import OWN, allowed, complain, fault_of
from reidctl.registry import API_VERSION, REGISTRIES, Entry, Registry

if TYPE_CHECKING:
    from reidctl.conformance import Question, Report
    from reidctl.types import Spec

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
    """List every part with its package, version and status, importing none.

    ok; broken: its module is not there or does not compile; disabled: REIDCTL_PLUGINS leaves its package out; or the
    plugin API that its package was written for, where that is another. `check` imports, and so finds more.
    """
    _require_known_packages()
    found = [(registry, entry) for registry in _registries(kind) for entry in registry.declared]
    rows = [_row(registry, entry) for registry, entry in found if everything or kind or entry.package != OWN]
    if json:
        output.json("reidctl.plugins/2", {"api": API_VERSION, "plugins": rows})
        return
    columns = ["kind", "name", "package", "version", "status", "problem"]
    output.table(columns, [[row[column] for column in columns] for row in rows])
    if not rows:
        output.note("no plugin package is installed; --all lists the built-in parts")


@app.command()
def check(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A part, a package, or {name: …, parameters}; everything where none is named.",
            show_default=False,
        ),
    ] = None,
    kind: Kind = None,
    set_: Annotated[
        list[str], typer.Option("--set", "-s", metavar="KEY=VALUE", help="A parameter of the part; repeatable.")
    ] = [],
    root: Annotated[
        Path | None, typer.Option("--root", "-r", help="Folder that holds the data sets.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="What a runtime is to open; ours are made.", show_default=False)
    ] = None,
    limit: Annotated[float, typer.Option("--limit", min=1, help="Seconds that one step may take.")] = 300,
    json: Json = False,
) -> None:
    """Import and build parts, check the contracts of their kinds, export and time them, in a process of their own.

    Exit 1 when one is broken. A check that only you could complete, with --set, --root or --file, is no failure.
    """
    from reidctl.conformance import examine

    _require_known_packages()
    questions = _questions(name, kind, set_, root, file)
    with output.progress("check", len(questions)) as advance:
        reports = examine(questions, limit, advance)
    rows = [_report_row(report) for report in reports]
    if json:
        output.json("reidctl.plugins-check/2", {"plugins": rows})
    elif len(reports) == 1:
        _show_steps(reports[0], rows[0])
    else:
        columns = ["kind", "name", "package", "version", "status", "timing", "problem"]
        output.table(columns, [[row[column] for column in columns] for row in rows])
    broken = [row for row in rows if row["status"] == "broken"]
    if broken:
        first = broken[0]
        who = f"{first['kind']} '{first['name']}' from {first['package']} {first['version']}"
        raise CheckFailed(f"{len(broken)} of {len(rows)} parts do not work, the first: {who}: {first['problem']}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the package, e.g. reidctl-mine.", show_default=False)],
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="model, dataset, loss, transform, runtime or command.")
    ] = "loss",
    folder: Annotated[Path, typer.Option("--folder", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a small plugin package that installs and passes its own tests."""
    from reidctl.scaffold import write_package

    package = write_package(name, kind, folder)
    output.text(str(package))
    output.note(f"next: pip install -e {package} && pytest {package}")


def _registries(kind: str | None) -> list[Registry]:
    kinds = {registry.kind: registry for registry in REGISTRIES}
    if kind is None:
        return list(REGISTRIES)
    if kind not in kinds:
        raise UnknownName(f"no kind of part named '{kind}'", suggestion(kind, kinds, f"kinds: {', '.join(kinds)}"))
    return [kinds[kind]]


def _require_known_packages() -> None:
    """Warn of packages that REIDCTL_PLUGINS names and nobody installed."""
    installed = {normalized(entry.package) for registry in REGISTRIES for entry in registry.declared}
    for missing in sorted((allowed() or frozenset()) - installed):
        others = installed - {OWN}
        complain(
            f"REIDCTL_PLUGINS names {missing}, and no installed plugin package is called so",
            suggestion(missing, others, f"there are: {', '.join(sorted(others)) or 'none'}"),
        )


def _row(registry: Registry, entry: Entry) -> dict[str, Any]:
    """What the metadata says of one part; under its full name where another package offers the same."""
    problem = ""
    if entry.is_disabled:
        status, problem = "disabled", "left out by REIDCTL_PLUGINS"
    elif entry.api != API_VERSION:
        status = "no API version" if entry.api is None else f"API {entry.api}"
        problem = f"this is API {API_VERSION}"
    else:
        problem = fault_of(entry.target) or ""
        status = "broken" if problem else "ok"
    return {
        "kind": entry.kind,
        "name": _called(registry, entry),
        "package": entry.package,
        "version": entry.version,
        "target": entry.target,
        "status": status,
        "problem": problem,
    }


def _called(registry: Registry, entry: Entry) -> str:
    counts = Counter(each.name for each in registry.entries)
    return f"{entry.package}:{entry.name}" if counts[entry.name] > 1 and not entry.is_disabled else entry.name


def _questions(
    text: str | None, kind: str | None, sets: list[str], root: Path | None, file: Path | None
) -> list[Question]:
    from reidctl.conformance import Question
    from reidctl.types import Spec

    spec = _spec(text, sets) if text else None
    found = []
    for registry in _registries(kind):
        for entry in registry.entries:
            name = _called(registry, entry)
            if spec is None or normalized(spec.name) == normalized(entry.package):
                found.append(Question(registry.kind, Spec(name=name, **(spec.parameters if spec else {})), root, file))
            elif spec.name in (entry.name, f"{entry.package}:{entry.name}") or _is_member(spec.name, entry):
                named = spec.name if _is_member(spec.name, entry) else name
                found.append(Question(registry.kind, Spec(name=named, **spec.parameters), root, file))
    if not found:
        _refuse(spec.name if spec else "", kind)
    if sets and len(found) > 1:
        raise ConfigError(f"--set: {len(found)} parts are checked", "name the one part that the parameter belongs to")
    return found


def _is_member(name: str, entry: Entry) -> bool:
    return entry.is_family and name.rpartition(":")[2].startswith(entry.name[:-1]) and not name.endswith("/*")


def _refuse(name: str, kind: str | None) -> None:
    """UnknownName for a name that no part and no package has."""
    entries = [entry for registry in _registries(kind) for entry in registry.declared]
    named = [entry for entry in entries if name in (entry.name, entry.package) or _is_member(name, entry)]
    left_out = next((entry for entry in named if entry.is_disabled), None)
    if left_out:
        raise UnknownName(f"{left_out.package} is disabled", "REIDCTL_PLUGINS leaves it out; add it there")
    known = {word for entry in entries for word in (entry.name, entry.package)}
    raise UnknownName(
        f"no part or package named '{name}'", suggestion(name, known, "`reidctl plugins list --all` shows all")
    )


def _spec(text: str, sets: list[str]) -> Spec:
    from reidctl.config.layers import Layer, merge, set_layer
    from reidctl.config.reader import read_value
    from reidctl.types import Spec
    from reidctl.validation import validate

    values = read_value(text, "NAME") if text.startswith("{") else {"name": text}
    return validate(Spec, merge([Layer("NAME", values), *map(set_layer, sets)]).values, at="NAME")


def _report_row(report: Report) -> dict[str, Any]:
    registry = next(registry for registry in REGISTRIES if registry.kind == report.question.kind)
    name = report.question.spec.name
    entry = registry.find(name)
    found = report.as_dict()
    timing = next((step.detail for step in report.steps if step.name == "timing"), "")
    about = {"kind": registry.kind, "name": name, "package": entry.package, "version": entry.version}
    return {**about, "target": entry.target, "timing": timing, **found}


def _show_steps(report: Report, row: dict[str, Any]) -> None:
    output.text(f"{row['kind']} {row['name']} · {row['package']} {row['version']} ({row['target']}): {row['status']}\n")
    columns = ["step", "outcome", "seconds", "what was found"]
    output.table(
        columns,
        [
            [step.name, step.outcome, f"{step.seconds:.1f}", "; ".join(filter(None, [step.detail, *step.warnings]))]
            for step in report.steps
        ],
    )
