"""The files that the original toolkit read, read by ours: the same images in the same order and of the same people."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from reidctl.config.schema import DataConfig
from reidctl.data.sources import load_sources, load_target
from reidctl.registry import API_VERSION, Entry, datasets
from reidctl.types import ReidData, Sample, Spec

FIXTURE = json.loads((Path(__file__).parents[1] / "parity" / "datasets.json").read_text())
RESULTS = FIXTURE["results"]
MARKET, MSMT = Path("market1501/Market-1501-v15.09.15"), Path("msmt17/MSMT17_V2")
EVERYTHING = Spec(name="msmt17", with_validation=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both data sets of the fixture as pictures."""
    root = tmp_path_factory.mktemp("data")
    files = FIXTURE["files"]
    paths = [MARKET / part / name for part, names in files["market"].items() for name in names]
    paths += [MARKET / "images" / name for name in files["market_images"]]
    for name, lines in files["msmt_lists"].items():
        folder = MSMT / ("mask_train_v2" if name in ("list_train.txt", "list_val.txt") else "mask_test_v2")
        paths += [folder / line.split()[0] for line in lines]
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8)).save(root / path, format="JPEG")
    for name, lines in files["msmt_lists"].items():
        (root / MSMT / name).write_text("\n".join(lines) + "\n")
    return root


def _paths(samples: tuple[Sample, ...], root: Path) -> list[str]:
    return [Path(str(sample.image)).relative_to(root).as_posix() for sample in samples]


def _require_alike(found: ReidData, name: str, root: Path) -> None:
    """The original numbers people in the order of a set, so that only who is one with whom can be compared."""
    expected = RESULTS[name]
    assert _paths(found.train, root) == [path for path, _, _ in expected["train"]]
    pairs = {(sample.identity, theirs) for sample, (_, theirs, _) in zip(found.train, expected["train"], strict=True)}
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs})
    assert {ours for ours, _ in pairs} == set(range(expected["num_train_pids"]["0"]))


@pytest.mark.parametrize(
    ("name", "sources", "options"),
    [
        ("market1501", [Spec(name="market1501")], {}),
        ("market1501_500k", [Spec(name="market1501", distractors_500k=True)], {}),
        ("market1501_combineall", [Spec(name="market1501")], {"combineall": True}),
        ("market1501_min2", [Spec(name="market1501")], {"min_images_per_identity": 2}),
        ("msmt17", [Spec(name="msmt17")], {}),
        ("msmt17_combineall", [EVERYTHING], {"combineall": True}),
        ("msmt17_combineall_min3", [EVERYTHING], {"combineall": True, "min_images_per_identity": 3}),
        ("sum_three", [Spec(name="market1501"), Spec(name="msmt17"), Spec(name="market1501")], {}),
    ],
)
def test_training_images_are_those_of_the_original(
    root: Path, name: str, sources: list[Spec], options: dict[str, Any]
) -> None:
    config = DataConfig(root=root, sources=tuple(sources), targets=(), **options)
    _require_alike(load_sources(config), name, root)


def test_one_source_combined_and_one_not_are_those_of_the_original(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`combineall` holds for all sources of a run; the first one here is what a run of its own would train on."""
    combined = load_sources(DataConfig(root=root, sources=(EVERYTHING,), targets=(), combineall=True))

    def again(*, root: Path) -> ReidData:
        return combined

    point: Any = SimpleNamespace(load=lambda: again)
    entry = Entry("dataset", "combined", "tests", "1", "tests", API_VERSION, point)
    monkeypatch.setitem(datasets.__dict__, "entries", (*datasets.entries, entry))
    sources = (Spec(name="combined"), Spec(name="market1501"))
    _require_alike(load_sources(DataConfig(root=root, sources=sources, targets=())), "sum_msmt17all_market1501", root)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("market1501", Spec(name="market1501")),
        ("market1501_500k", Spec(name="market1501", distractors_500k=True)),
        ("msmt17", Spec(name="msmt17")),
    ],
)
def test_test_images_are_those_of_the_original_with_their_numbers(root: Path, name: str, spec: Spec) -> None:
    target = load_target(spec, root)
    for part in ("query", "gallery"):
        samples = getattr(target, part)
        numbers = [(sample.identity, sample.camera) for sample in samples]
        assert _paths(samples, root) == [path for path, _, _ in RESULTS[name][part]]
        assert numbers == [(identity, camera) for _, identity, camera in RESULTS[name][part]]
