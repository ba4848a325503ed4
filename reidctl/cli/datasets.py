"""`reidctl datasets list|info|stats|verify|export|augment`: what data there is, whether it is sound, and as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl import registry as registries
from reidctl.cli.augment import augment
from reidctl.cli.options import Force, Json, complete_data
from reidctl.cli.output import output
from reidctl.cli.parts import listing
from reidctl.errors import CheckFailed

if TYPE_CHECKING:
    from reidctl.data.problems import Problem

app = listing(registries.datasets)
app.command()(augment)

Named = Annotated[
    str,
    typer.Argument(
        metavar="NAME[=DIR]", help="Data set, its root after `=`.", autocompletion=complete_data, show_default=False
    ),
]
Root = Annotated[Path, typer.Option("--root", "-r", help="Folder that holds the data sets.")]
DATA = Path("data")
SHOWN = 20
"""Problems of one kind that are printed; JSON has all."""


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
def verify(
    data: Named,
    root: Root = DATA,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="Draw people by cameras into this .png.", show_default=False)
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Open every image and check the protocol's needs; exit 1 when something is wrong.

    Reported: images that are missing, empty, cut short, damaged, too large or no image; files whose name or line tells
    no identity and camera; copies (the same bytes); people whom one camera saw; queries without a match, and why none
    has one; people and images both trained and tested on.
    """
    from reidctl.cli.targets import open_data
    from reidctl.data.images import require_picture
    from reidctl.data.sample_sheet import draw_samples
    from reidctl.data.statistics import counts
    from reidctl.data.verify import verify as verify_data
    from reidctl.files import refuse_existing

    if samples:
        require_picture(samples)
        refuse_existing(samples, force)
    problems: list[Problem] = []
    found = open_data(data, root, problems.append)
    total = len(found.train) + len(found.query) + len(found.gallery)
    with output.progress(f"verify {found.name}", total) as advance:
        problems.extend(verify_data(found, advance))
    counted = counts(found)
    if json:
        rows = [{"kind": problem.kind, "where": problem.where, "what": problem.what} for problem in problems]
        values = {"dataset": found.name, "images": total, "problems": rows, "counts": counted}
        output.json("reidctl.datasets-verify/1", values)
    else:
        _show_counts(counted)
        _show_problems(problems)
    if samples:
        output.note(f"samples: {draw_samples(found, samples)}")
    if problems:
        first = problems[0]
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        raise CheckFailed(f"{found.name}: {count}, the first: {first.where}: {first.what}", first.hint)
    if not json:
        output.text(f"ok: {found.name}: {total} images")


def _show_counts(counted: dict[str, dict[str, Any]]) -> None:
    """Images by camera, and how many images and cameras an identity has: least, median, most."""
    from statistics import median

    from reidctl.types import camera_number

    cameras = sorted({camera for part in counted.values() for camera in part["cameras"]})
    rows: list[list[Any]] = []
    for name, part in counted.items():
        people = [seen for identity, seen in part["identities"].items() if identity >= 0]
        images, seen_by = [sum(seen.values()) for seen in people], [len(seen) for seen in people]
        spread = [f"{min(n)}/{median(n):g}/{max(n)}" if n else "" for n in (images, seen_by)]
        rows.append([name, len(people), *spread, *(part["cameras"].get(camera, 0) for camera in cameras)])
    columns = [
        "part",
        "identities",
        "images each (least/median/most)",
        "cameras each",
        *(f"cam {camera_number(camera)}" for camera in cameras),
    ]
    output.table(columns, rows)


def _show_problems(problems: list[Problem]) -> None:
    """The first few problems of each kind, and how many there are."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    rows = []
    for kind, found in kinds.items():
        rows += [[kind, problem.where, problem.what] for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            rows.append([kind, "…", f"and {len(found) - SHOWN:,} more; --json lists all"])
    if rows:
        output.table(["problem", "where", "what"], rows)


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
