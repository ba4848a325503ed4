from pathlib import Path

import pytest

from reidctl.artefacts import locate
from reidctl.errors import InputError


def test_a_file_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.touch()
    assert locate(file) == file
    assert locate(str(file)) == file


@pytest.mark.parametrize(("weights", "taken"), [(("best", "last"), "best"), (("last",), "last"), (("best",), "best")])
def test_a_run_folder_is_its_best_checkpoint_else_its_last(tmp_path: Path, weights: tuple[str], taken: str) -> None:
    (tmp_path / "weights").mkdir()
    for name in weights:
        (tmp_path / "weights" / f"{name}.safetensors").touch()
    assert locate(tmp_path) == tmp_path / "weights" / f"{taken}.safetensors"


def test_the_latest_run_is_found_through_its_link(tmp_path: Path) -> None:
    weights = tmp_path / "run-3" / "weights"
    weights.mkdir(parents=True)
    (weights / "best.safetensors").touch()
    (tmp_path / "latest").symlink_to("run-3")
    assert locate(tmp_path / "latest") == tmp_path / "latest" / "weights" / "best.safetensors"


def test_a_folder_without_checkpoints_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without weights/best\.safetensors"):
        locate(tmp_path)


def test_a_preset_is_its_name() -> None:
    assert locate("retail-0267") == "retail-0267"
    assert locate("reidctl:retail-0267") == "reidctl:retail-0267"


def test_a_path_is_never_a_preset() -> None:
    with pytest.raises(InputError):
        locate(Path("retail-0267"))


def test_a_folder_comes_before_the_preset_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "retail-0267" / "weights"
    weights.mkdir(parents=True)
    (weights / "last.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    assert locate("retail-0267") == Path("retail-0267/weights/last.safetensors")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("best.safetensor", "Best.safetensors'?"),
        ("BEST.SAFETENSORS", "Best.safetensors'?"),
        ("nothing-like-it.onnx", "give a checkpoint"),
        ("nowhere/best.onnx", "there is no folder"),
    ],
)
def test_a_missing_file_names_what_is_near(tmp_path: Path, asked: str, hint: str) -> None:
    (tmp_path / "Best.safetensors").touch()
    with pytest.raises(InputError, match="no such model") as caught:
        locate(str(tmp_path / asked))
    assert hint in str(caught.value.hint)


def test_a_home_of_nobody_is_a_path_as_it_stands() -> None:
    with pytest.raises(InputError, match=r"no such model: ~nobody-of-that-name/net\.onnx") as caught:
        locate("~nobody-of-that-name/net.onnx")
    assert caught.value.hint == "there is no folder ~nobody-of-that-name"


def test_a_mistyped_preset_names_the_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such model: retial-0267") as caught:
        locate("retial-0267")
    assert caught.value.hint == "did you mean the preset 'retail-0267'?"
