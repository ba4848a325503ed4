"""`reidctl datasets augment`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.config import load_config
from reidctl.data.contact_sheet import CAPTION, GAP, HEADER, MARGIN
from reidctl.data.loader import train_batches
from reidctl.data.sources import load_sources
from tests.conftest import Cli

SETS = [
    "data.sources=[{name: synthetic, train_identities: 6, test_identities: 2, cameras: 2, images_per_camera: 2}]",
    "data.combineall=false",
    "data.min_images_per_identity=1",
    "train.batch_size=8",
]
SMALL = [part for text in SETS for part in ("--set", text)]


@pytest.mark.parametrize("preset", ["retail-0267", "demo"])
def test_the_sheet_shows_what_training_reads_with_its_workers(cli: Cli, tmp_path: Path, preset: str) -> None:
    path = tmp_path / "new" / "sheet.png"
    sizes = ("--count", "3", "--epochs", "2", "--seed", "5")
    result = cli("datasets", "augment", "--preset", preset, *SMALL, *sizes, "--out", path)
    assert result.code == 0, result.err
    assert result.out == f"{path} (3 images, 2 epochs)\n"
    config = load_config(preset, sets=[*SETS, "seed=5", "data.workers=2"]).config
    batches = train_batches(load_sources(config.data), config.data, batch_size=8, seed=config.seed)
    height, width = config.data.image.size
    sheet = np.asarray(Image.open(path).convert("RGB"))
    drawn = []
    for epoch in (0, 1):
        read = {image.permute(1, 2, 0).numpy().tobytes() for batch in batches.epoch(epoch) for image in batch.images}
        left = MARGIN + (1 + epoch) * (width + GAP)
        for row in range(3):
            top = MARGIN + HEADER + CAPTION + row * (CAPTION + height + GAP)
            drawn.append(sheet[top : top + height, left : left + width].tobytes() in read)
    batches.close()
    assert drawn == [True] * 6


def test_another_seed_is_another_sheet_and_the_same_seed_the_same(cli: Cli, tmp_path: Path) -> None:
    pictures = []
    for seed in ("1", "2", "1"):
        path = tmp_path / "sheet.png"
        arguments = ("--preset", "demo", *SMALL, "-n", "2", "--epochs", "1", "--seed", seed, "-o", path, "--force")
        result = cli("datasets", "augment", *arguments, "--json")
        assert result.code == 0, result.err
        found = json.loads(result.out)
        assert (found["schema"], found["sheet"], found["epochs"]) == ("reidctl.datasets-augment/1", str(path), 1)
        assert len(set(found["images"])) == 2
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[2] != pictures[1]


def test_a_sheet_that_is_there_is_kept_without_force(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"mine")
    result = cli("datasets", "augment", "--preset", "demo", *SMALL, "-o", path)
    assert (result.code, path.read_bytes()) == (2, b"mine")
    assert "already there" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "sheet.txt"], "not a picture's name"),
        (["-o", "sheet.pngg"], "did you mean '.png'?"),
        (["--set", "data.transforms=[random_flop]"], "did you mean 'random_flip'?"),
        (["--set", "data.transforms=[{name: random_flip, p: 2}]"], "data.transforms.0.p"),
        (["--set", "data.sources=[market1501]", "--root", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("datasets", "augment", "--preset", "demo", *arguments)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []
