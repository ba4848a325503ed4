"""Which installed packages are listened to, what is said of one that misbehaves, and parts without a package.

REIDCTL_PLUGINS names the packages besides our own whose parts exist, with commas; `none` is none, unset all of them.
REIDCTL_PLUGINS_STRICT=1 makes an error of every warning about a package. REIDCTL_PLUGIN_FILES holds what `-P` named,
for this process and those that it starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from reidctl.errors import InputError, PluginError, suggestion
from reidctl.installed import EntryPoint, normalized

logger = logging.getLogger(__name__)

OWN = "reidctl"
FILES = "REIDCTL_PLUGIN_FILES"
DECLARATION = "PLUGINS"
"""The mapping in which a module that `-P` names declares its parts: `PLUGINS = {"losses": {"ring": Ring}}`."""


def allowed() -> frozenset[str] | None:
    """The packages that REIDCTL_PLUGINS names; None where it leaves all of them in."""
    stated = os.environ.get("REIDCTL_PLUGINS", "").strip()
    if not stated:
        return None
    return frozenset(normalized(name) for name in stated.split(",") if name.strip()) - {"none"}


def is_left_out(package: str) -> bool:
    """Whether REIDCTL_PLUGINS leaves the parts of `package` out; never ours."""
    names = allowed()
    return names is not None and package != OWN and normalized(package) not in names


def is_strict() -> bool:
    """Whether a warning about a package is to be an error."""
    return os.environ.get("REIDCTL_PLUGINS_STRICT", "") not in ("", "0")


def complain(message: str, hint: str | None = None) -> None:
    """Warn of a package that misbehaves, and go on; PluginError where REIDCTL_PLUGINS_STRICT is set."""
    if is_strict():
        raise PluginError(message, hint or "REIDCTL_PLUGINS_STRICT=1 makes this an error")
    logger.warning("%s", message)


@contextmanager
def off_stdout(who: str, when: str) -> Iterator[None]:
    """Keep what is printed within the block off stdout, which belongs to a command's result: it is one warning."""
    caught = StringIO()
    with redirect_stdout(caught):
        yield
    if said := " ".join(caught.getvalue().split()):
        complain(f"{who} prints {when}: {said if len(said) <= 60 else f'{said[:59]}…'}")


@cache
def fault_of(target: str) -> str | None:
    """What is wrong with an entry point's target `package.module:attribute` as far as its files tell; None for nothing.

    Nothing is imported: the module is looked for and compiled, and whether its code runs is left open.
    """
    module = target.partition(":")[0].strip()
    names, path, spec = module.split("."), None, None
    for count in range(1, len(names) + 1):
        name = ".".join(names[:count])
        spec = next((found for finder in sys.meta_path if (found := _sought(finder, name, path))), None)
        if spec is None:
            return f"there is no module {name}"
        path = spec.submodule_search_locations
    try:
        get_code = getattr(spec.loader, "get_code", None) if spec else None
        if get_code:
            get_code(module)
    except (SyntaxError, ValueError) as error:
        return f"{module} does not compile: {' '.join(str(error).split())}"
    except (ImportError, OSError) as error:
        return f"{module} cannot be read: {' '.join(str(error).split())}"
    return None


def _sought(finder: Any, name: str, path: Any) -> Any:
    find_spec = getattr(finder, "find_spec", None)
    return find_spec(name, path) if find_spec else None


class Unpackaged:
    """What stands for the package of a part that a file or module declares by itself."""

    def __init__(self, module: str) -> None:
        self._module = module

    def read_text(self, filename: str) -> str | None:
        """Metadata with the module's name; the version says where the part comes from."""
        return f"Name: {self._module}\nVersion: -P\n" if filename == "METADATA" else None


class _Declared(EntryPoint):
    """An entry point whose target is an item of a module's declaration."""

    def load(self) -> Any:
        kinds = getattr(importlib.import_module(self.module), DECLARATION)
        return kinds[self.group.removeprefix("reidctl.")][self.name]


def declared_points(groups: Sequence[str]) -> list[EntryPoint]:
    """The parts that the modules named by `-P` declare; they are imported.

    Raises InputError where there is no such file or module, PluginError where it does not import or declares no parts.
    """
    texts = [text for text in os.environ.get(FILES, "").split(os.pathsep) if text]
    return [point for text in texts for point in _points(text, groups)]


def _points(text: str, groups: Sequence[str]) -> Iterator[EntryPoint]:
    module = _module_of(Path(text)) if text.endswith(".py") else text
    try:
        with off_stdout(text, "on import"):
            declared = getattr(importlib.import_module(module), DECLARATION, None)
    except (Exception, SystemExit) as cause:
        if isinstance(cause, PluginError):
            raise
        if isinstance(cause, ModuleNotFoundError) and cause.name == module:
            raise InputError(
                f"-P {text}: there is no such module", "give a .py file, or a module on PYTHONPATH"
            ) from None
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise PluginError(f"-P {text} does not import: {reason}", "--debug shows the traceback") from cause
    hint = f'such as {DECLARATION} = {{"losses": {{"ring": Ring}}}}'
    if not (isinstance(declared, Mapping) and declared and all(isinstance(p, Mapping) for p in declared.values())):
        raise PluginError(f"-P {text} declares no parts", f"it needs a mapping of kinds to names to parts, {hint}")
    kinds = [group.removeprefix("reidctl.") for group in groups]
    for kind, parts in declared.items():
        if kind not in kinds:
            raise PluginError(
                f"-P {text}: {DECLARATION} has '{kind}', which is no kind of part",
                suggestion(str(kind), kinds, f"kinds: {', '.join(kinds)}"),
            )
        for name in parts:
            yield _Declared(name, f"{module}:{DECLARATION}", f"reidctl.{kind}", Unpackaged(module))


def _module_of(file: Path) -> str:
    """The name that a file is imported under; its folder joins sys.path, so that child processes can import it, too."""
    if not file.is_file():
        raise InputError(f"-P {file}: no such file")
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()
    module = file.stem
    found = importlib.util.find_spec(module) if module.isidentifier() else None
    if found is None or found.origin is None or Path(found.origin).resolve() != file.resolve():
        other = f"'{module}' is another module, {found.origin}" if found else f"'{module}' is no name of a module"
        raise InputError(f"-P {file}: {other}", "rename the file")
    return module
