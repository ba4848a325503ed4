"""The pages of the documentation, and the code blocks, commands, links and headings in them.

A comment right before a block says what becomes of it: `<!-- not run: reason -->` for what cannot be run here,
`<!-- needs: MODULE -->` for what is run where that module is installed, `<!-- file: NAME -->` for what is a file that
later blocks use. All other bash and Python blocks are run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
GENERATED = {"cli.md", "config.md", "legacy-keys.md"}
"""Written by docs/generate.py, whose --check holds them to the code."""

FENCE = re.compile(r"^```(?P<language>[\w+-]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (?P<what>not run|needs|file): (?P<text>.+?) -->\n+\Z")
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; line is that of its fence, counted from 1."""

    page: Path
    line: int
    language: str
    code: str
    file: str | None = None
    not_run: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.language in ("bash", "python") and self.file is None and self.not_run is None


def pages() -> list[Path]:
    """Every page that people write."""
    found = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
    return sorted(page for page in found if page.name not in GENERATED)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        mark = MARK.search(text, 0, match.start())
        marked = {mark["what"].replace(" ", "_"): mark["text"]} if mark else {}
        needed = marked.pop("needs", None)
        if needed and find_spec(needed) is None:
            marked["not_run"] = f"{needed} is not installed"
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], match["code"], **marked))
    return found


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def command_lines(code: str) -> list[list[str]]:
    """The arguments of each `reidctl …` (or `-m reidctl …`) of a shell script."""
    found: list[list[str]] = []
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|<>"):
                found += _after_reidctl(command)
                command = []
            else:
                command.append(word)
    return found


def _after_reidctl(command: list[str]) -> list[list[str]]:
    words = command
    while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
        words = words[1:]
    if words[:1] == ["reidctl"]:
        return [words[1:]]
    at = next((i for i in range(1, len(words)) if words[i - 1 : i + 1] == ["-m", "reidctl"]), None)
    return [] if at is None else [words[at + 1 :]]


def spans(page: Path) -> list[str]:
    """The code in the running text, each on one line."""
    return [" ".join(span.split()) for span in SPAN.findall(prose(page))]


def named_commands(page: Path) -> list[list[str]]:
    """The arguments of each `reidctl …` in the running text."""
    return [found for span in spans(page) if "reidctl " in span for found in command_lines(span)]


def links(page: Path) -> list[str]:
    """Where the links of a page lead, but for those to other sites."""
    return [target for target in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts name them."""
    headings = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
