"""YAML 1.2 text -> plain values, and the line that each of them stands on.

Node by node, so that an anchor cannot blow up, a key cannot be given twice, nothing but plain data
comes in, and every message knows its line and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reidctl.errors import ConfigError

KeyPath = tuple[str | int, ...]
Mark = tuple[int, int]

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {f"{_PREFIX}{tag}" for tag in ("str", "int", "float", "bool", "null")}
_KINDS = {list: "a list", str: "text", bool: "true or false"}
_MAX_NODES = 100_000
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed mapping with the position (line, column; from 1) of every value, and the keys that were given again."""

    values: dict[str, Any]
    marks: dict[KeyPath, Mark]
    repeats: tuple[tuple[KeyPath, Mark], ...] = ()


def read_file(path: Path, *, last_wins: bool = False) -> Document:
    """Parse a YAML file whose top level is a mapping; ConfigError with line and column otherwise.

    last_wins: a key given twice is no error; its last value stands.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigError(f"{path}: larger than a configuration can be", "give the path of a YAML file")
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigError(f"{path}: {reason}", "give the path of a YAML file") from error
    return read_text(text, str(path), last_wins=last_wins)


def read_text(text: str, where: str, *, last_wins: bool = False) -> Document:
    """Parse YAML text whose top level is a mapping (or nothing)."""
    reader = _Reader(where, last_wins)
    value = _parse(text, where, reader)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected keys and values at the top, found {_KINDS.get(type(value), 'a number')}")
    return Document(value, reader.marks, tuple(reader.repeats))


def read_value(text: str, where: str) -> Any:
    """Parse one value as `--set` and variables give it: `0.5`, `true`, `[1, 2]`, `{name: x}`, plain text."""
    return _parse(text, where, _Reader(where, last_wins=False))


def _parse(text: str, where: str, reader: _Reader) -> Any:
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        return None if node is None else reader.value(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        problem = error.problem or error.context or "not YAML"
        # ruamel splits some sentences in two: "expected a single document in the stream", "but found another document".
        whole = f"{error.context} {problem}" if error.context and problem.startswith("but ") else problem
        raise ConfigError(f"{place}: {whole}") from error
    except YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: nested too deeply") from error
    except (ValueError, LookupError, AttributeError, TypeError, NotImplementedError) as error:
        # ruamel lets a few malformed scalars and directives escape as plain Python errors.
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


class _Reader:
    def __init__(self, where: str, last_wins: bool) -> None:
        self.where = where
        self.last_wins = last_wins
        self.marks: dict[KeyPath, Mark] = {}
        self.repeats: list[tuple[KeyPath, Mark]] = []
        self._open: set[int] = set()
        self._seen = 0
        self._scalars = YAML(typ="safe", pure=True).constructor

    def value(self, node: Node, path: KeyPath) -> Any:
        self._seen += 1
        if self._seen > _MAX_NODES:
            self._fail(node, "more values than a configuration can have")
        if id(node) in self._open:
            self._fail(node, "an alias that contains itself")
        self.marks[path] = _position(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._open.add(id(node))
        found: Any = (
            {key: self.value(child, (*path, key)) for key, child in self._pairs(node, path)}
            if isinstance(node, MappingNode)
            else [self.value(child, (*path, index)) for index, child in enumerate(self._items(node))]
        )
        self._open.discard(id(node))
        return found

    def _pairs(self, node: MappingNode, path: KeyPath) -> list[tuple[str, Node]]:
        self._require_tag(node, {f"{_PREFIX}map"})
        pairs: dict[str, Node] = {}
        for key_node, child in node.value:
            key = self._scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if key_node.tag == f"{_PREFIX}merge":
                self._fail(key_node, "merge keys (<<) are not supported; list several files with -c instead")
            if not isinstance(key, str):
                self._fail(key_node, "a key must be text; quote it")
            if key in pairs and not self.last_wins:
                self._fail(key_node, f"key '{key}' is given twice")
            if key in pairs:
                self.repeats.append(((*path, key), _position(key_node)))
            pairs[key] = child
        return list(pairs.items())

    def _items(self, node: Node) -> list[Node]:
        self._require_tag(node, {f"{_PREFIX}seq"})
        assert isinstance(node, SequenceNode)
        return list(node.value)

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag in {f"{_PREFIX}timestamp", f"{_PREFIX}merge", f"{_PREFIX}value"}:
            return node.value
        self._require_tag(node, _SCALARS)
        return self._scalars.construct_object(node)

    def _require_tag(self, node: Node, allowed: set[str]) -> None:
        if str(node.tag) not in allowed:
            self._fail(node, f"tag {str(node.tag).replace(_PREFIX, '!!')} is not plain data")

    def _fail(self, node: Node, problem: str) -> NoReturn:
        line, column = _position(node)
        raise ConfigError(f"{self.where}:{line}:{column}: {problem}")


def _position(node: Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1
