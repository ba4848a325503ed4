"""The documentation as it stands, without running it: commands that exist, links that lead somewhere."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from reidctl import __version__
from reidctl.cli.app import GLOBAL_FLAGS, PLUGIN, build_whole, globals_first
from reidctl.complexity import measure
from reidctl.config import load_config
from reidctl.registry import models
from reidctl.zoo.catalogue import networks
from tests.docs.pages import REPOSITORY, anchors, blocks, command_lines, links, named_commands, pages, spans

PAGES = pages()
OF_PACKAGES = {
    name
    for file in REPOSITORY.glob("plugins/*/pyproject.toml")
    for name in tomllib.loads(file.read_text())["project"]["entry-points"].get("reidctl.commands", {})
}
"""Commands of the packages in plugins/, which need not be installed here and have tests of their own."""
LANGUAGES = {"bash", "python", "cpp", "cmake", "yaml", "toml", "text"}


@pytest.fixture(scope="module")
def root() -> Any:
    return typer.main.get_command(build_whole())


def _page(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def _command(root: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command that these arguments name, and what is left for it."""
    command, rest = root, words
    while rest and hasattr(command, "commands"):
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"no command '{rest[0]}' in reidctl {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def _parse(root: Any, words: list[str]) -> None:
    """Read a command line as the program would, without running it."""
    own = [word for word in globals_first(words) if word not in GLOBAL_FLAGS and not word.startswith(PLUGIN)]
    command, rest = _command(root, own)
    with suppress(typer.Exit):
        command.make_context("reidctl", list(rest))


def test_pages_are_found() -> None:
    assert {"README.md", "docs/getting-started.md", "docs/architecture.md"} <= {_page(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [block.place for block in blocks(page) if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_every_command_in_a_block_parses(page: Path, root: Any) -> None:
    shown = [
        (block, words)
        for block in blocks(page)
        if block.language == "bash"
        for words in command_lines(block.code)
        if words[0] not in OF_PACKAGES
    ]
    for block, words in shown:
        try:
            _parse(root, words)
        except (AssertionError, typer.TyperException) as error:
            raise AssertionError(f"{block.place}: reidctl {' '.join(words)}: {error}") from error


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_every_command_in_the_text_exists_with_its_options(page: Path, root: Any) -> None:
    for words in (words for words in named_commands(page) if words[0] not in OF_PACKAGES):
        command, rest = _command(root, words)
        known = {"--help", "-h", "--quiet", "-q", "--no-color", "--debug"}
        known |= {option for parameter in command.params for option in parameter.opts}
        options = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert options <= known, f"{_page(page)}: reidctl {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{_page(page)}: no {path}"
        if anchor:
            assert anchor in anchors(there), f"{_page(page)}: no heading for {target}"


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_what_the_text_names_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for span in spans(page):
        for path in re.findall(r"(?:^|python )((?:benchmarks|docs|reidctl|tests)/[\w./-]+)", span):
            assert (REPOSITORY / path).exists(), f"{_page(page)}: no {path}"
        if span.startswith("make "):
            assert span.split()[1] in targets, f"{_page(page)}: no target for {span}"


def test_commands_are_found_in_a_script() -> None:
    script = (
        "A=1 reidctl train --preset \\\n  demo | tee log\ntorchrun -m reidctl eval x; reidctl datasets lst\nreidctl"
    )
    assert command_lines(script) == [["train", "--preset", "demo"], ["eval", "x"], ["datasets", "lst"], []]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("datasets lst", "no command 'lst'"),
        ("eval", "Missing parameter: model"),
        ("eval MODEL --repot DIR", "No such option: --repot"),
        ("embed DIR", "Missing parameter: model"),
        ("search QUERY features -k many", "not a valid int"),
    ],
)
def test_a_command_that_is_wrong_does_not_parse(root: Any, line: str, words: str) -> None:
    with pytest.raises((AssertionError, typer.TyperException)) as error:
        _parse(root, line.split())
    assert words in str(error.value)


def test_the_citation_names_this_version() -> None:
    cited = YAML(typ="safe").load(REPOSITORY / "CITATION.cff")
    assert (cited["version"], cited["license"]) == (__version__, "Apache-2.0")


@pytest.mark.parametrize("preset", ["retail-0248", "retail-0265", "retail-0267", "retail-0270"])
def test_the_model_table_has_what_the_networks_cost(preset: str) -> None:
    config = load_config(preset).config
    cost = measure(models.build(config.model, image_size=config.data.image.size), config.data.image.size)
    rows = (line.split(" | ") for line in (REPOSITORY / "docs" / "models.md").read_text().splitlines())
    row = next(cells for cells in rows if cells[0] == f"| `{preset}`")
    counted = [f"{cost.parameters / 1e6:.3f} M", f"{cost.macs / 1e9:.3f} G", f"{cost.published_gflops:.3f}"]
    assert row[2:5] == counted
    network = networks()[row[5]]
    assert network.published
    assert network.published.preset == preset
    assert "rank-1 {}, mAP {}".format(*row[6].removesuffix(" |").split(" / ")) in network.about
