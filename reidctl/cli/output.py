"""What a command prints: the result on stdout (for people or as JSON), everything else on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


_GAP = "   "
"""What stands between the columns of a table."""


class Output:
    """The two streams of this process, set up once by the global options."""

    def __init__(self) -> None:
        self.quiet = False
        self.no_color = False
        self.silent = False
        """Whether another process speaks for this one, so that only errors are told."""

    def configure(self, *, quiet: bool, no_color: bool, debug: bool) -> None:
        """Apply the global options; warnings of the library reach stderr as lines, with --debug its whole log."""
        self.quiet, self.no_color = quiet, no_color or bool(os.environ.get("NO_COLOR"))
        handler = _LogLines(self)
        handler.setLevel(logging.DEBUG if debug else logging.WARNING)
        # Such an image is refused, by an error that names it; Pillow's own warning does not.
        warnings.filterwarnings("ignore", message=r"Image size \(\d+ pixels\)")
        logger = logging.getLogger("reidctl")
        logger.handlers = [handler]
        logger.setLevel(logging.DEBUG if debug else logging.INFO)
        logger.propagate = False

    def _console(self, stderr: bool) -> Console:
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        return Console(file=stream, no_color=self.no_color or None, highlight=False)

    def text(self, text: str) -> None:
        """Print a result as it stands."""
        if self.silent:
            return
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def json(self, schema: str, values: Mapping[str, Any]) -> None:
        """Print a result for machines; `schema` names its form and version, e.g. `reidctl.eval/2`."""
        self.text(json.dumps({"schema": schema, **values}, indent=2, ensure_ascii=False))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
        """Print a result for people; a column is right-aligned where every value is a number."""
        if self.silent:
            return
        if title:
            self.text(title)
        numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
        cells = [[_cell(value) for value in row] for row in rows]
        if sys.stdout.isatty():
            self._draw_table(columns, cells, numeric)
        else:
            self.text("\n".join(_aligned(columns, cells, numeric)))

    def _draw_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
        """As `_aligned`, with cells folded where the terminal is narrow."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column, right in zip(columns, numeric, strict=True):
            table.add_column(column, justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._console(stderr=False).print(table)

    def note(self, text: str) -> None:
        """Tell the person at the terminal something that is not the result."""
        if not (self.quiet or self.silent):
            sys.stderr.write(f"{text}\n")

    def warning(self, text: str) -> None:
        """Tell what may be wrong; kept with --quiet."""
        if not self.silent:
            self._mark("warning:", "yellow", text)

    def error(self, message: str, hint: str | None = None) -> None:
        """Tell what went wrong in one line, and in a second what to do."""
        self._mark("error:", "bold red", message)
        if hint:
            self._mark("hint: ", "cyan", hint)

    def _mark(self, mark: str, style: str, text: str) -> None:
        if sys.stderr.isatty() and not self.no_color:
            from rich.text import Text

            self._console(stderr=True).print(Text.assemble((mark, style), " ", text), soft_wrap=True)
        else:
            sys.stderr.write(f"{mark} {text}\n")

    @property
    def interactive(self) -> bool:
        """Whether progress bars make sense: a terminal on stderr, and no --quiet."""
        return sys.stderr.isatty() and not (self.quiet or self.silent)

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator[Any]:
        """A bar on a terminal, nothing elsewhere; yields a callable that takes how much was done."""
        if not self.interactive:
            yield lambda done=1: None
            return
        with self.bars() as bars:
            task = bars.add_task(description, total=total)
            yield lambda done=1: bars.advance(task, done)

    @contextmanager
    def status(self, description: str) -> Iterator[None]:
        """A moving mark on a terminal while something of unknown length goes on."""
        if not self.interactive:
            yield
            return
        with self._console(stderr=True).status(description):
            yield

    def bars(self) -> Progress:
        """A rich progress display on stderr that leaves nothing behind."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        return Progress(
            # Of all columns the one that gives way where the terminal is narrow.
            TextColumn("{task.description}", table_column=Column(no_wrap=False)),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console(stderr=True),
            transient=True,
        )


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Iterator[str]:
    """The lines of a table of which nothing is folded."""
    split = [[cell.splitlines() or [""] for cell in row] for row in rows]
    widths = [
        max(map(_width, (column, *(line for row in split for line in row[i])))) for i, column in enumerate(columns)
    ]

    def joined(cells: Sequence[str]) -> str:
        spaces = (" " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
        padded = (
            space + cell if right else cell + space for cell, space, right in zip(cells, spaces, numeric, strict=True)
        )
        return _GAP.join(padded).rstrip()

    yield joined(columns)
    yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for row in split:
        yield from map(joined, zip_longest(*row, fillvalue=""))


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


class _LogLines(logging.Handler):
    def __init__(self, target: Output) -> None:
        super().__init__()
        self.target = target

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.target.warning(record.getMessage())
        else:
            self.target.note(record.getMessage())


output = Output()
