"""The command line as a whole: global flags, typos, plugin commands, completion."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from reidctl.cli.app import build_whole, globals_first
from reidctl.cli.summaries import SUMMARIES
from reidctl.registry import commands
from tests.conftest import Cli, Packages


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["train", "--debug"], ["--debug", "train"]),
        (["eval", "x", "-q", "--json"], ["-q", "eval", "x", "--json"]),
        (["a", "--", "-q"], ["a", "--", "-q"]),
        (["train", "-P", "mine.py", "-c", "x"], ["--plugin=mine.py", "train", "-c", "x"]),
        (["--plugin", "mine", "losses", "list"], ["--plugin=mine", "losses", "list"]),
        (["losses", "list", "-Pmine.py"], ["--plugin=mine.py", "losses", "list"]),
        (["losses", "-P"], ["-P", "losses"]),
        ([], []),
    ],
)
def test_global_flags_may_stand_anywhere(given: list[str], ordered: list[str]) -> None:
    assert globals_first(given) == ordered


def test_help_names_every_command(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    assert [name for name in commands.names() if f" {name} " not in result.out] == []


def test_help_says_of_each_command_what_the_command_says_of_itself_in_the_same_order() -> None:
    whole = typer.main.get_command(build_whole())
    assert list(SUMMARIES.items()) == [
        (name, " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split()))
        for name, command in whole.commands.items()
    ]


@pytest.mark.parametrize("name", commands.names())
def test_every_command_has_help_of_its_own(cli: Cli, name: str) -> None:
    result = cli(name, "--help")
    assert result.code == 0
    assert f"reidctl {name}" in result.out


def test_a_mistyped_command_suggests_the_nearest(cli: Cli) -> None:
    result = cli("trian")
    assert result.code == 2
    assert result.out == ""
    assert "'train'" in result.err


def test_an_unknown_option_is_a_usage_error(cli: Cli) -> None:
    result = cli("models", "list", "--jason")
    assert result.code == 2
    assert "--jason" in result.err


def _package(folder: Path, name: str, body: str, command: str | None = None) -> None:
    (folder / f"{name}.py").write_text(body)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[reidctl.api]\nversion = v1\n[reidctl.commands]\n{command or name} = {name}:command\n"
    )


def _reidctl(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reidctl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_a_plugin_command_runs_and_is_listed_without_being_imported(tmp_path: Path) -> None:
    _package(tmp_path, "greet", "print('imported')\ndef command(name: str = 'you'):\n    print('hello', name)\n")
    listed = _reidctl("--help", PYTHONPATH=str(tmp_path))
    assert "From greet 1.0." in listed.stdout
    assert "imported" not in listed.stdout
    greeted = _reidctl("greet", "--name", "me", PYTHONPATH=str(tmp_path))
    assert greeted.stdout == "hello me\n"
    assert greeted.stderr == "warning: command 'greet' from greet 1.0 (greet:command) prints on import: imported\n"


def test_a_broken_plugin_command_is_one_line_and_disturbs_no_other(tmp_path: Path) -> None:
    _package(tmp_path, "greet", "import no_such_library\n")
    broken = _reidctl("greet", PYTHONPATH=str(tmp_path))
    assert broken.returncode == 3
    assert broken.stderr.splitlines()[0].startswith(
        "error: command 'greet' from greet 1.0 (greet:command) does not import"
    )
    assert _reidctl("models", "list", PYTHONPATH=str(tmp_path)).stderr == ""
    assert _reidctl("--help", PYTHONPATH=str(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("reidctl train --preset retail-02", {"retail-0248", "retail-0265", "retail-0267", "retail-0270"}),
        ("reidctl models info fpn_osnet_x0_", {"fpn_osnet_x0_25", "fpn_osnet_x0_5", "fpn_osnet_x0_75"}),
        ("reidctl datasets info syn", {"synthetic"}),
        ("reidctl eval retail-0267 --data mark", {"market1501"}),
        ("reidctl vis", {"visact", "visrank"}),
    ],
)
def test_the_shell_completes_names(line: str, offered: set[str]) -> None:
    words = line.split()
    ended = _reidctl(_REIDCTL_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert {word.partition(",")[-1] or word for word in ended.stdout.split()} == offered


def test_two_commands_of_one_name_are_both_there_under_their_packages(tmp_path: Path) -> None:
    _package(tmp_path, "greet", "def command():\n    print('hello')\n", command="verify")
    path = {"PYTHONPATH": str(tmp_path)}
    refused = _reidctl("verify", **path)
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: command 'verify' is offered by greet 1.0 and reidctl ")
    assert "hint:  write greet:verify or reidctl:verify" in refused.stderr
    assert _reidctl("greet:verify", **path).stdout == "hello\n"
    assert "Usage: reidctl reidctl:verify" in _reidctl("reidctl:verify", "--help", **path).stdout
    assert {"greet:verify", "reidctl:verify"} <= set(_reidctl("--help", **path).stdout.split())


def _shell(line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("reidctl", f"{sys.executable} -m reidctl", 1)
    # With PYTHONUNBUFFERED nothing is left to be written when the command ends.
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=buffered)


@pytest.mark.parametrize("listing", ["presets list", "plugins list --all --json"])
def test_a_reader_that_closes_early_is_no_error(listing: str) -> None:
    ended = _shell(f"reidctl {listing} | true; echo ${{PIPESTATUS[0]}}")
    assert (ended.stdout, ended.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("reidctl config show >&-", 0),
        ("reidctl models list >&-", 0),
        ("reidctl config show --preset nope 2>&-", 2),
        ("reidctl models list > /dev/full", 2),
        ("reidctl plugins list --all --json > /dev/full", 2),
    ],
)
def test_a_stream_that_is_closed_or_full_shows_no_traceback(line: str, code: int) -> None:
    ended = _shell(line)
    assert ended.returncode == code
    assert ended.stderr in (
        "",
        "error: No space left on device\nhint:  free some space; what was finished before is kept\n",
    )


def test_what_an_encoding_lacks_is_written_as_an_escape() -> None:
    """Not every terminal speaks UTF-8, and pipes of Windows do not by themselves."""
    plain = _shell("PYTHONIOENCODING=ascii; export PYTHONIOENCODING; reidctl losses info triplet")
    assert (plain.returncode, plain.stderr) == (0, "")
    assert r"triplet \xb7 reidctl" in plain.stdout
    unicode, ascii_ = (
        _shell(f"PYTHONIOENCODING={name}; export PYTHONIOENCODING; reidctl losses info triplet --json").stdout
        for name in ("utf-8", "ascii")
    )
    assert not unicode.isascii()
    assert json.loads(ascii_) == json.loads(unicode)


def test_a_command_of_a_package_of_ours_that_is_not_installed_names_the_package(cli: Cli, packages: Packages) -> None:
    result = cli("ray", "embed", "crops")
    assert result.code == 3
    assert "'ray' is in the package reidctl-ray, which is not installed" in result.err
    assert "pip install reidctl-ray" in result.err
