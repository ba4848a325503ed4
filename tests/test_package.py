"""What is installed is whole: presets, templates and pages travel inside the wheel."""

import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import reidctl
from reidctl.registry import presets

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_every_file_that_is_read_at_run_time(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    source = {str(path.relative_to(ROOT)) for path in (ROOT / "reidctl").rglob("*") if path.is_file()}
    assert {path for path in source if "__pycache__" not in path} <= inside
    configs = {path.name for path in (ROOT / "configs").glob("*.yaml")}
    assert {f"reidctl/configs/{name}" for name in configs} <= inside
    assert configs == {f"{name}.yaml" for name in presets.names()}


def test_every_public_name_is_there() -> None:
    assert sorted(reidctl.__all__) == reidctl.__all__
    for name in reidctl.__all__:
        assert callable(getattr(reidctl, name))
    assert dir(reidctl) == reidctl.__all__


def test_a_program_configures_a_run_as_the_command_does(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("train: {epochs: 3}\n")
    config = reidctl.load_config("retail-0248", files=[str(tmp_path / "run.yaml")], sets=["run=mine"]).config
    assert (config.preset, config.train.epochs, config.run_name) == ("retail-0248", 3, "mine")


def test_no_module_takes_the_place_of_a_public_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(reidctl.__path__)}
    assert not modules & set(reidctl.__all__)


def test_importing_the_package_imports_nothing_that_computes() -> None:
    program = "import sys, reidctl; sys.exit(bool({'torch', 'numpy', 'openvino', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
