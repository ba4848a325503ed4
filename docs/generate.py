"""Write the generated parts of docs/: `python docs/generate.py`; with --check only say whether they are fresh.

cli.md comes from the commands themselves (through Typer's documentation tool), config.md from the schema, the
signatures of every built-in part, and the environment variables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from reidctl import registry as registries
from reidctl.config.environment import OWN
from reidctl.config.schema import LossSpec, RunConfig
from reidctl.fields import field_rows
from reidctl.registry import Registry

DOCS = Path(__file__).parent
PARTS = (
    registries.models,
    registries.losses,
    registries.transforms,
    registries.batch_transforms,
    registries.datasets,
    registries.runtimes,
    registries.loggers,
)


def cli() -> str:
    """The help of every command."""
    ended = subprocess.run(
        [sys.executable, "-m", "typer", str(DOCS / "app.py"), "utils", "docs", "--name", "reidctl"],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip() + "\n"


def config() -> str:
    """Every key of a configuration and every parameter of every part."""
    lines = [
        "# Configuration",
        "",
        "A run is described by YAML. What is not said has the default below. Later sources win: mean and std of images",
        "as the weights of a `timm/…` model expect them, preset, `-c` files in order, environment",
        "(`REIDCTL_TRAIN__EPOCHS=5`), flags such as `--root`, `--set train.epochs=5`. Mappings merge key by key, lists",
        "replace; `losses.0.margin` changes one item of a list; a part whose `name` changes starts anew.",
        "`reidctl config show --origin` says where each value came from, `reidctl config schema` prints the JSON",
        "Schema.",
        "",
        *_table(field_rows(RunConfig)),
        "",
        "An item of `losses` has, beside the parameters of the loss:",
        "",
        *_table([row for row in field_rows(LossSpec) if row["name"] != "name"]),
    ]
    for registry in PARTS:
        lines += ["", f"## {registry.plural.replace('_', ' ').capitalize()}"]
        for name in registry.names():
            if registry.find(name).package == "reidctl":
                lines += _part(registry, name)
    lines += [
        "",
        "## Environment variables of the program",
        "",
        ", ".join(f"`REIDCTL_{name}`" for name in sorted(OWN)),
        "",
    ]
    return "\n".join(lines)


def _part(registry: Registry, name: str) -> list[str]:
    entry = registry.find(name)
    about = (entry.load().__doc__ or "").strip().splitlines()
    # The members of our own families all take the same parameters.
    member = registry.members(name.removesuffix("/*"))[0] if entry.is_family else name
    rows = field_rows(registry.parameters(member))
    return ["", f"### `{name}`", "", about[0] if about else "", *(["", *_table(rows)] if rows else [])]


def _table(rows: list[dict[str, str]]) -> list[str]:
    cells = [[f"`{row['name']}`", row["type"], f"`{row['default']}`", row["meaning"]] for row in rows]
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in cells]
    return ["| key | type | default | meaning |", "|---|---|---|---|", *(f"| {' | '.join(line)} |" for line in escaped)]


PAGES: dict[str, Callable[[], str]] = {"cli.md": cli, "config.md": config}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{'stale' if check else 'wrote'}: docs/{name}" + ("; run `make docs`" if check else ""))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
