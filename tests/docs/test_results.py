"""The page of results, made of a file that is written here, and the files that it is made of."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import REPOSITORY

STORED = sorted((REPOSITORY / "benchmarks" / "results").glob("*/*.json"))
MACHINE = {
    "processor": "Abacus",
    "cores": 2,
    "instructions": ["avx2"],
    "memory_gib": 3.9,
    "gpu": None,
    "system": "Stone, wood",
    "python": "3.11.1",
    "packages": {"reidctl": "0.1.0"},
}
COLUMNS = [
    {"key": "way", "title": "way", "form": ""},
    {"key": "speed", "title": "images/s", "form": ",.1f"},
    {"key": "gpu", "title": "GPU MiB", "form": ",.0f"},
    {"key": "mAP", "title": "mAP", "form": ".1%"},
]
ROWS = [{"way": "plain", "speed": 1234.56, "gpu": None, "mAP": None}, {"way": "a|b", "speed": 2.0, "mAP": 0.8812}]
PAGE = """\
# Results

All of it.

## desk

Abacus, 2 cores (avx2), 4 GiB. Stone, wood, Python 3.11.1, reidctl 0.1.0.

### Reading

How fast.

`python benchmarks/loader.py`, 2026-01-02. Two runs.

**Files**

| way | images/s | mAP |
|---|---:|---:|
| plain | 1,234.6 |  |
| a\\|b | 2.0 | 88.1% |
"""


@pytest.fixture
def page() -> Any:
    spec = importlib.util.spec_from_file_location("results", REPOSITORY / "docs" / "results.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results


def test_a_page_has_machines_scripts_and_tables(page: Any, tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text(
        "# Results\n\nAll of it.\n\n## startup: None\n\nNo.\n\n## loader: Reading\n\nHow fast.\n"
    )
    call = {"schema": "reidctl.benchmark/1", "name": "loader", "command": "python benchmarks/loader.py"}
    call |= {"date": "2026-01-02", "machine": MACHINE, "notes": ["Two runs"]}
    call |= {"tables": [{"title": "Files", "columns": COLUMNS, "rows": ROWS}]}
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "loader.json").write_text(json.dumps(call))
    assert page(tmp_path) == PAGE


def test_a_machine_is_described_once_and_says_what_only_some_scripts_had(page: Any, tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("# Results\n")
    (tmp_path / "desk").mkdir()
    for name, more in (("accuracy", {"nncf": "3.4.0"}), ("loader", {}), ("startup", {"nncf": "3.5.0"})):
        machine = {**MACHINE, "packages": {**MACHINE["packages"], **more}}
        call = {"schema": "reidctl.benchmark/1", "name": name, "machine": machine}
        (tmp_path / "desk" / f"{name}.json").write_text(json.dumps(call))
    described = [line for line in page(tmp_path).splitlines() if line.startswith("Abacus")]
    assert described == [
        "Abacus, 2 cores (avx2), 4 GiB. Stone, wood, Python 3.11.1, reidctl 0.1.0, nncf 3.4.0 (accuracy.py), "
        "nncf 3.5.0 (startup.py)."
    ]


def test_every_script_has_its_text() -> None:
    about = (REPOSITORY / "benchmarks" / "results" / "about.md").read_text()
    scripts = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert {line[3:].partition(":")[0] for line in about.splitlines() if line.startswith("## ")} == scripts


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_results_are_of_scripts_and_hold_no_paths(path: Path) -> None:
    found = json.loads(path.read_text())
    assert found["schema"] == "reidctl.benchmark/1"
    assert (REPOSITORY / "benchmarks" / f"{found['name']}.py").exists()
    assert all(table["rows"] for table in found["tables"])
    assert "/" not in {text[:1] for text in _texts(found)}


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def test_json_goes_to_a_file_with_the_command_that_made_it(tmp_path: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(REPOSITORY / 'benchmarks')!r})\n"
        "from side_by_side.results import Column, Report\n"
        "report = Report(sys.argv[-1])\n"
        "report.table('T', Column('a', 'A'), Column('b', 'B', '.1f')).add({'a': 'x', 'b': 0.25})\n"
        "report.note('Said.')\n"
        "report.finish()\n"
    )
    out = tmp_path / "new" / "one.json"
    command = [sys.executable, script, "--root", "/some/where/data", "--json", str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert [line.split() for line in done.stdout.splitlines()] == [[], ["T"], ["A", "B"], ["x", "0.2"], ["Said."]]
    found = json.loads(out.read_text())
    assert found["command"] == "python benchmarks/one.py --root data"
    assert found["tables"][0]["rows"] == [{"a": "x", "b": 0.25}]
    assert found["notes"] == ["Said."]
