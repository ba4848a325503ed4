"""Write the generated parts of docs/: `python docs/generate.py`; with --check only say whether they are fresh.

cli.md comes from the commands themselves (through Typer's documentation tool), config.md from the schema, the
signatures of every built-in part, and the environment variables, legacy-keys.md from the tables of `config convert`,
results.md from the JSON that the scripts of benchmarks/ wrote. The schema of a configuration is written where the
package reads it, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from results import results

from reidctl import registry as registries
from reidctl.config import spine
from reidctl.config.environment import OWN
from reidctl.config.legacy.fates import UNSTATED, Dropped, Fate, Kept, Woven
from reidctl.config.legacy.keys import ALIASES, BETWEEN, EARLIER, LATER
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
    return _rows(("key", "type", "default", "meaning"), cells)


def _rows(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [columns, *([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)]
    head, *body = (f"| {' | '.join(line)} |" for line in lines)
    return [head, f"|{'---|' * len(columns)}", *body]


def legacy_keys() -> str:
    """What becomes of every key of the original toolkit."""
    lines = [
        "# Keys of deep-object-reid",
        "",
        "What `reidctl config convert old.yaml` does with each key of the original toolkit. It reads the file as the",
        "original does, defaults and `_base_` included, and lists every key of the file that has no counterpart. A key",
        "without default belongs to some revisions only; `x.*` is every key below `x`.",
        "[Migrating](migrating.md) is about the rest.",
    ]
    revisions = {"Keys of February 2021": BETWEEN, "Only in July 2021": LATER, "Only in May 2020 and before": EARLIER}
    for title, fates in revisions.items():
        rows = [_legacy_row(key, fate) for key, fate in fates.items()]
        lines += ["", f"## {title}", "", *_rows(("original", "default", "here", ""), rows)]
    names = [[f"`{old}`", f"`{new}`"] for old, new in ALIASES.items()]
    lines += ["", "## Other names", "", *_rows(("some revisions", "above"), names), ""]
    return "\n".join(lines)


def _legacy_row(key: str, fate: Fate) -> list[str]:
    default = "" if fate.default is UNSTATED else f"`{fate.default!r}`"
    match fate:
        case Kept():
            return [f"`{key}`", default, f"`{fate.ours}`", ""]
        case Woven():
            return [f"`{key}`", default, f"`{fate.ours}`", f"where {fate.when}" if fate.when else ""]
        case Dropped():
            return [f"`{key}`", default, "–", fate.reason]


def schema() -> str:
    """The spine of a configuration as JSON Schema."""
    return json.dumps(RunConfig.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


PAGES: dict[Path, Callable[[], str]] = {
    DOCS / "cli.md": cli,
    DOCS / "config.md": config,
    DOCS / "legacy-keys.md": legacy_keys,
    DOCS / "results.md": results,
    DOCS.parent / "reidctl" / "config" / spine.FILE.name: schema,
}


def main() -> int:
    # The pages are about our own parts, whatever else is installed here.
    os.environ["REIDCTL_PLUGINS"] = "none"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = []
    for path, page in PAGES.items():
        text = page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(DOCS.parent))
            if not check:
                path.write_text(text, encoding="utf-8")
    for page_path in stale:
        print(f"{'stale' if check else 'wrote'}: {page_path}" + ("; run `make docs`" if check else ""))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
