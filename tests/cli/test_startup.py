"""Help and listings start at once, because they import nothing that computes."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "openvino", "timm", "onnx", "matplotlib", "pyarrow")

PROGRAM = """
import sys
from reidctl.cli import main
sys.argv = ["reidctl", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as exit_:
    code = exit_.code
loaded = [name for name in {heavy} if name in sys.modules]
sys.exit(f"imported {{loaded}}" if loaded else code)
"""

LIGHT = [
    ["--help"],
    ["--version"],
    ["train", "--help"],
    ["export", "--help"],
    ["plugins", "list"],
    ["plugins", "list", "--all"],
    ["models", "list"],
    ["models", "list", "--json"],
    ["datasets", "list"],
    ["datasets", "augment", "--help"],
    ["transforms", "list"],
    ["batch_transforms", "list"],
    ["losses", "list"],
    ["presets", "list"],
    ["config", "show", "--preset", "retail-0267"],
    ["config", "show", "--preset", "retail-0267", "--origin"],
    ["compare", "--help"],
    ["zoo", "list"],
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_it_imports_nothing_that_computes(arguments: list[str]) -> None:
    program = PROGRAM.format(heavy=HEAVY)
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


@pytest.mark.parametrize("flag", ["--origin", "--json", "--root=images", "--set=train.epochs=5"])
def test_a_look_at_a_configuration_does_without_the_schema(flag: str) -> None:
    program = PROGRAM.format(heavy=("pydantic", "pydantic_core", "annotated_types", "rich"))
    arguments = ["config", "show", "--preset", "retail-0267", flag]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "preset" in ended.stdout


def test_the_check_sees_an_import() -> None:
    program = PROGRAM.format(heavy=("typer",))
    ended = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False)
    assert "imported ['typer']" in ended.stderr
