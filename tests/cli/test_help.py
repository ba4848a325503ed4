"""The pages of `--help`."""

import os
import subprocess
import sys

import pytest

from tests.conftest import Cli, Packages

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def test_a_page_has_sections_of_aligned_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert cli("presets", "--help").out == (
        "Usage: reidctl presets [OPTIONS] COMMAND [ARGS]...\n"
        "\n"
        "  The registered presets.\n"
        "\n"
        "Options:\n"
        "  -h, --help  Show this message and exit.\n"
        "\n"
        "Commands:\n"
        "  list  Name every preset and what it is.\n"
        "  info  Print a preset's file.\n"
    )


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("90", 90), ("300", 100)])
def test_a_page_is_as_wide_as_the_terminal_and_can_be_read(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: str, widest: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    longest = max(map(len, cli("--help").out.splitlines()))
    assert 0.9 * widest < longest <= widest


def test_a_command_is_summed_up_whole_and_one_of_another_package_in_a_section_of_its_own(
    cli: Cli, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    packages.add("greet", {"commands": {"greet": "command"}}, "def command(): ...")
    ours, _, theirs = cli("--help").out.partition("\nPlugins:\n")
    assert theirs == "  greet  From greet 1.2.\n"
    words = " ".join(ours.split())
    assert "Plugins run code: install only what you trust." in words
    assert "..." not in ours.partition("Commands:")[2]


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
@pytest.mark.parametrize(
    ("variables", "options", "coloured"), [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({}, ["--no-color"], False)]
)
def test_a_page_is_coloured_on_a_terminal_unless_asked_otherwise(
    variables: dict[str, str], options: list[str], coloured: bool
) -> None:
    parent, child = os.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    line = [sys.executable, "-m", "reidctl", "presets", "--help", *options]
    with subprocess.Popen(line, stdout=child, env={**environment, **variables}):
        os.close(child)
        shown = b""
        # Linux says that a terminal which nobody writes to any more is an error.
        while part := _read(parent):
            shown += part
    os.close(parent)
    assert b"Commands" in shown
    assert (f"{BOLD}Commands{PLAIN}".encode() in shown) is coloured
    assert (b"\x1b" in shown) is coloured


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
