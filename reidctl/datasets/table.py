"""Images that a table names, with who is on them and which camera saw it."""

from __future__ import annotations

from collections.abc import Iterator
from csv import Error, reader
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from annotated_types import Ge, Le, MinLen
from pydantic import Field

from reidctl.data.problems import Problem, Report, listed, refuse
from reidctl.datasets.layout import unreadable
from reidctl.datasets.split import PARTS, Record, assembled
from reidctl.errors import InputError, nearest, suggestion
from reidctl.types import ReidData, StrictModel

NAME = "csv"
DELIMITERS = (",", ";", "\t", "|")


class Columns(StrictModel):
    """The names of the columns that are read."""

    path: Annotated[str, MinLen(1), Field(description="column of the image's path, from the table's folder")] = "path"
    identity: Annotated[str, MinLen(1), Field(description="column of who is on it: any text")] = "identity"
    camera: Annotated[str, MinLen(1), Field(description="column of which camera saw it: any text")] = "camera"
    split: Annotated[
        str, MinLen(1), Field(description="column of train, query, gallery or test; drawn by lot where there is none")
    ] = "split"


USUAL = Columns()


class Row(NamedTuple):
    """One line of the table, by number, with the cells of the columns; split is None where there is no such column."""

    line: int
    path: str
    identity: str
    camera: str
    split: str | None


def csv(
    file: Annotated[str, MinLen(1), Field(description="the table, below the data root")],
    columns: Annotated[Columns, Field(description="names of the columns")] = USUAL,
    train_fraction: Annotated[
        float, Ge(0), Le(1), Field(description="share of the people to train on, where no column parts them")
    ] = 0.5,
    seed: Annotated[int, Ge(0), Field(description="which people are trained on")] = 0,
    *,
    root: Path,
    report: Report = refuse,
) -> ReidData:
    """Your own images, without a class for them: a table of path, identity, camera and split.

    A text file in UTF-8 (or UTF-16 with its mark) whose first line names the columns, in any order and among others;
    commas, semicolons, tabs or bars are told by that line. Paths count from the table's folder. Identities and cameras
    are any text and numbered in their order. split is train, query, gallery, or test, which is parted into the two;
    without that column some people are trained on and the others tested, as in reidctl.datasets.split.
    Raises InputError for a table that is missing, no text or lacks a column; a line that has another number of
    cells, an empty one, an unknown split, or an image that the same split has already, goes to `report`.
    """
    path = root / file
    problems: list[Problem] = []
    records = list(_records(path, _rows(path, _text(path), columns, problems.append), problems.append))
    if not records:
        raise InputError(
            f"data set '{NAME}': {path} names no usable images" + (f": {listed(problems[:1])}" if problems else ""),
            problems[0].hint if problems else "it should have a line for each image below the names of the columns",
        )
    for problem in problems:
        report(problem)
    return assembled(NAME, records, train_fraction, seed)


def _records(table: Path, rows: Iterator[Row], report: Report) -> Iterator[Record]:
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        where = f"{table}, line {row.line}"
        empty = [name for name in ("path", "identity", "camera") if not getattr(row, name)]
        part = (row.split or "").lower()
        if empty:
            report(Problem("bad line", where, f"the {empty[0]} is empty", "fill it in or take the line out"))
        elif "\0" in row.path:
            report(Problem("bad line", where, "the path has a zero byte", "save the table as CSV in UTF-8"))
        elif not PurePosixPath(row.path).name:
            report(Problem("bad line", where, f"the path '{row.path}' names no file", "write that of an image"))
        elif row.split is not None and part not in PARTS:
            hint = suggestion(part, PARTS, f"a split is one of {', '.join(PARTS)}")
            report(Problem("bad line", where, f"no split '{row.split}'", hint))
        elif (row.path, part) in seen:
            what = f"'{row.path}' stands in line {seen[row.path, part]} already"
            report(Problem("duplicate", where, what, "take one of the two lines out"))
        else:
            seen[row.path, part] = row.line
            yield Record(table.parent / row.path, PurePosixPath(row.path), row.identity, row.camera, part)


def _rows(table: Path, text: str, columns: Columns, report: Report) -> Iterator[Row]:
    lines = list(StringIO(text, newline=None))
    if not lines:
        raise InputError(f"data set '{NAME}': {table} is empty", "its first line names the columns")
    delimiter, header = _header(lines[0], columns)
    places = _places(table, header, columns)
    cells = reader(lines[1:], delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(cells, None)
        except Error as error:
            raise InputError(
                f"data set '{NAME}': {table}, line {cells.line_num + 1}: {error}", "look at the quotes there"
            ) from error
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            what = f"{len(row)} cells, but {len(header)} columns"
            hint = f"cells are parted by {delimiter!r}; put a cell that holds one in double quotes"
            report(Problem("bad line", f"{table}, line {cells.line_num + 1}", what, hint))
            continue
        found = [None if place is None else row[place].strip() for place in places]
        yield Row(cells.line_num + 1, found[0] or "", found[1] or "", found[2] or "", found[3])


def _header(line: str, columns: Columns) -> tuple[str, list[str]]:
    """The delimiter by which most of the wanted columns, and then most columns, are found; and the columns."""
    wanted = set(columns.model_dump().values())
    splits = {d: [cell.strip() for cell in next(reader([line], delimiter=d), [])] for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: (len(wanted & set(splits[d])), len(splits[d])))
    return best, splits[best]


def _places(table: Path, header: list[str], columns: Columns) -> list[int | None]:
    """Where path, identity, camera and split stand; split may be missing, when no other column looks like it."""
    places: list[int | None] = []
    for what, column in columns.model_dump().items():
        if header.count(column) == 1:
            places.append(header.index(column))
            continue
        others = {name.lower(): name for name in header}
        near = nearest(column, others)
        if header.count(column) > 1:
            raise InputError(f"data set '{NAME}': {table} has more than one column '{column}'", "name them differently")
        if what == "split" and near is None and column == USUAL.split:
            places.append(None)
            continue
        raise InputError(
            f"data set '{NAME}': {table} has no column '{column}' for the {what}; it has {', '.join(header)}",
            f"columns: {{{what}: {others[near]}}} takes the one that is near"
            if near
            else f"name it: columns: {{{what}: …}}",
        )
    return places


def _text(table: Path) -> str:
    try:
        content = table.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"data set '{NAME}': no table {table}", _what_is_near(table)) from error
    except OSError as error:
        raise unreadable(NAME, table, error) from error
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"data set '{NAME}': {table} is no {encoding[:-4] if encoding.endswith('sig') else encoding} text: byte "
            f"{error.start}: {error.reason}",
            "save it as CSV in UTF-8",
        ) from error


def _what_is_near(table: Path) -> str:
    if not table.parent.is_dir():
        return f"{table.parent} is no folder; give the folder that holds the data sets with --root"
    names = {entry.name.lower(): entry.name for entry in table.parent.iterdir() if entry.is_file()}
    near = nearest(table.name, names)
    return f"there is {names[near]}" if near else f"{table.parent} has no such file"
