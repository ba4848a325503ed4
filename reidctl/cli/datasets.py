"""`reidctl datasets list|info|stats|verify|export`: what data there is, whether it is sound, and as files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from reidctl import registry as registries
from reidctl.cli.options import Force, Json, complete_data
from reidctl.cli.output import output
from reidctl.cli.parts import listing
from reidctl.errors import CheckFailed

app = listing(registries.datasets)

Named = Annotated[
    str,
    typer.Argument(
        metavar="NAME[=DIR]", help="Data set, its root after `=`.", autocompletion=complete_data, show_default=False
    ),
]
Root = Annotated[Path, typer.Option("--root", "-r", help="Folder that holds the data sets.")]
DATA = Path("data")


@app.command()
def stats(data: Named, root: Root = DATA, json: Json = False) -> None:
    """Count images, identities and cameras of each part of a data set."""
    from reidctl.cli.targets import open_data
    from reidctl.data.statistics import statistics

    found = open_data(data, root)
    rows = statistics(found)
    if json:
        output.json("reidctl.datasets-stats/1", {"dataset": found.name, "parts": rows})
        return
    columns = ["part", "images", "identities", "cameras", "images_per_identity"]
    output.table(columns, [[row[column] for column in columns] for row in rows], title=found.name)


@app.command()
def verify(data: Named, root: Root = DATA, json: Json = False) -> None:
    """Open every image and check the protocol's needs; exit 1 when something is wrong."""
    from reidctl.cli.targets import open_data
    from reidctl.data.verify import verify as verify_data

    found = open_data(data, root)
    total = len(found.train) + len(found.query) + len(found.gallery)
    with output.progress(f"verify {found.name}", total) as advance:
        problems = verify_data(found, advance)
    if json:
        rows: list[dict[str, Any]] = [
            {"kind": problem.kind, "where": problem.where, "what": problem.what} for problem in problems
        ]
        output.json("reidctl.datasets-verify/1", {"dataset": found.name, "images": total, "problems": rows})
    elif problems:
        output.table(
            ["problem", "where", "what"], [[problem.kind, problem.where, problem.what] for problem in problems]
        )
    else:
        output.text(f"ok: {found.name}: {total} images")
    if problems:
        raise CheckFailed(f"{found.name}: {len(problems)} problems, the first: {problems[0].where}: {problems[0].what}")


@app.command()
def export(
    data: Named,
    folder: Annotated[Path, typer.Argument(help="Data root to write below.", show_default=False)],
    layout: Annotated[str, typer.Option("--layout", help="market1501 or msmt17.")] = "market1501",
    root: Root = DATA,
    force: Force = False,
) -> None:
    """Write a data set as JPEG files in the layout of Market-1501 or MSMT17."""
    from reidctl.cli.targets import open_data
    from reidctl.data.write import export_layout

    found = open_data(data, root)
    total = len(found.train) + len(found.query) + len(found.gallery)
    with output.progress(f"export {found.name}", total) as advance:
        written = export_layout(found, folder, layout, progress=advance, force=force)
    output.text(str(written))
