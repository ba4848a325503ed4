"""What commands print for people."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reidctl.cli.output import Output

CELLS = st.one_of(
    st.integers(-99, 9999), st.none(), st.text("ab −→é日本", max_size=9).map(str.strip), st.just("two\nlines")
)


def drawn(columns: list[str], rows: list[list[object]]) -> str:
    """The table as rich draws it where there is room for all of it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    stream = io.StringIO()
    Console(file=stream, width=2000).print(table)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


@given(rows=st.lists(st.tuples(CELLS, CELLS, st.integers(0, 10**6)).map(list), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_table_that_no_terminal_shows_is_as_on_a_wide_one(
    capsys: pytest.CaptureFixture[str], rows: list[list[object]]
) -> None:
    columns = ["name", "名", "count"]
    Output().table(columns, rows)
    assert capsys.readouterr().out == drawn(columns, rows)
