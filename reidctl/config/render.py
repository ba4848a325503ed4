"""A configuration as YAML text that reads back as the same configuration."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from reidctl.config.spine import Node, is_part, record_at

if TYPE_CHECKING:
    from reidctl.config.layers import Origin
    from reidctl.config.loaded import Loaded
    from reidctl.config.reader import KeyPath
    from reidctl.config.schema import RunConfig

WIDTH = 120
COMMENT_COLUMN = 42
"""Comments start here or further left; a longer line has its comment close behind it or above."""
SCHEMA = "reidctl.schema.json"

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_OTHER_MEANING = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that YAML, or an older version of it, takes for something else than text."""

Split = Callable[["KeyPath", Any], bool]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line; it shows the value at `path` whole or, without `leaf`, opens its block."""

    text: str
    path: KeyPath
    leaf: bool


def render(config: RunConfig | Mapping[str, Any]) -> str:
    """The configuration as it is; of a mapping, only what it holds."""
    return _joined(line.text for line in _block(_values(config), (), "", lambda path, value: False))


def render_origins(loaded: Loaded) -> str:
    """The configuration, behind each value the option, variable or line of a file that it came from."""
    given = loaded.given

    def split(path: KeyPath, value: Any) -> bool:
        return len({_shown(given.origin(leaf)) for leaf in _leaves(value, path)}) > 1

    lines = list(_block(loaded.values, (), "", split))
    column = _column(lines)
    return _joined(
        f"{line.text:<{column}}  # {_shown(given.origin(line.path))}" if line.leaf else line.text for line in lines
    )


def render_starter(config: RunConfig, file: str = "run.yaml") -> str:
    """The configuration to start from: what each key means behind it, before all the commands to use it.

    file: its future name, for the commands.
    """
    lines = list(_block(_values(config), (), "", lambda path, value: False))
    column = _column(lines)
    root, run = _scalar(str(config.data.root)), _scalar(str(config.runs / config.run_name))
    head = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "#",
        f"#   reidctl config schema -o {SCHEMA}      for an editor that completes and checks this file",
        f"#   reidctl config validate {file}",
        f"#   reidctl train -c {file} --root {root}",
        f"#   reidctl eval {run} --root {root}",
        "#",
        "# `reidctl models info NAME` says what may stand beside a model's name; so do losses, transforms, datasets.",
        "",
    ]
    return _joined([*head, *(text for line in lines for text in _described(line, column))])


def _values(config: RunConfig | Mapping[str, Any]) -> Mapping[str, Any]:
    return config if isinstance(config, Mapping) else config.model_dump(mode="json")


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _column(lines: list[_Line]) -> int:
    return max((len(line.text) for line in lines if line.leaf and len(line.text) <= COMMENT_COLUMN), default=0)


def _block(values: Any, path: KeyPath, indent: str, split: Split) -> Iterator[_Line]:
    """The lines of a mapping or list; `split` says of a value whether it must take several lines."""
    if isinstance(values, Mapping):
        for key, child in values.items():
            yield from _entry(f"{indent}{_scalar(key)}:", child, (*path, key), indent, split)
        return
    for index, child in enumerate(values):
        flow = _flow(child, (*path, index))
        if _fits(f"{indent}- {flow}", child, (*path, index), split):
            yield _Line(f"{indent}- {flow}", (*path, index), leaf=True)
            continue
        first, *others = _block(child, (*path, index), f"{indent}  ", split)
        # The first key of an item stands behind its dash.
        yield replace(first, text=f"{indent}- {first.text.lstrip()}")
        yield from others


def _entry(head: str, value: Any, path: KeyPath, indent: str, split: Split) -> Iterator[_Line]:
    line = f"{head} {_flow(value, path)}"
    if _fits(line, value, path, split):
        yield _Line(line, path, leaf=True)
    else:
        yield _Line(head, path, leaf=False)
        yield from _block(value, path, f"{indent}  ", split)


def _fits(line: str, value: Any, path: KeyPath, split: Split) -> bool:
    """Whether `value` is to be shown on this one line."""
    if not value or not isinstance(value, Mapping | list):
        return True
    record = record_at(path)
    section = isinstance(value, Mapping) and record is not None and not is_part(record)
    parts = isinstance(value, list) and any(isinstance(item, Mapping) and len(item) > 1 for item in value)
    return len(line) <= WIDTH and not section and not parts and not split(path, value)


def _flow(value: Any, path: KeyPath) -> str:
    if isinstance(value, Mapping):
        record, name = record_at(path), value.get("name")
        if record is not None and is_part(record) and len(value) == 1 and isinstance(name, str):
            return _scalar(name)
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(child, (*path, key))}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(child, (*path, index)) for index, child in enumerate(value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) and value.lower() not in _OTHER_MEANING else _quoted(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    digits, exponent, power = repr(value).partition("e")
    # Without the point, readers of YAML 1.1 take 1e-05 for text.
    return f"{digits}{'' if '.' in digits else '.0'}{exponent}{power}"


def _quoted(text: str) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_style = '"'  # type: ignore[assignment]  # ruamel types it by its first value, None
    yaml.default_flow_style, yaml.width = True, 2**31
    stream = StringIO()
    yaml.dump([text], stream)
    return stream.getvalue().strip()[1:-1]


def _leaves(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    paths = [leaf for key, child in children for leaf in _leaves(child, (*path, key))]
    yield from paths or [path]


def _shown(origin: Origin) -> str:
    path, here = Path(origin.source), Path.cwd()
    source = str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else origin.source
    return f"{source}:{origin.mark[0]}" if origin.mark else source


def _described(line: _Line, column: int) -> Iterator[str]:
    """The line with the meaning of its key behind it or, where the line is long, above it."""
    indent = " " * (len(line.text) - len(line.text.lstrip()))
    if len(line.path) == 1 and not line.leaf:
        yield ""
    field = _field_at(line.path)
    meaning = _meaning(field) if field else ""
    if not meaning:
        yield line.text
    elif len(line.text) > column:
        yield from textwrap.wrap(
            meaning, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
        )
        yield line.text
    else:
        first, *others = textwrap.wrap(meaning, WIDTH - column - 4, break_on_hyphens=False)
        yield f"{line.text:<{column}}  # {first}"
        yield from (f"{'':<{column}}  # {text}" for text in others)


def _meaning(field: Node) -> str:
    meaning, choices = field.get("description", ""), field.get("enum", ())
    return meaning if all(choice in meaning for choice in choices) else f"{meaning} ({' | '.join(choices)})"


def _field_at(path: KeyPath) -> Node | None:
    """The schema of the key that `path` names; None inside a part, whose parameters are its own."""
    *above, key = path
    record = record_at(tuple(above))
    return record["properties"].get(key) if record is not None else None
