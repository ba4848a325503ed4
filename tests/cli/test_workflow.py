"""From a checkpoint to every artefact and back, through the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.config import RunConfig, load_config
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from tests.conftest import Cli
from tests.runtimes.artefacts import Real

PEOPLE = "{name: synthetic, train_identities: 2, test_identities: 3, cameras: 2, images_per_camera: 2}"


def _config() -> RunConfig:
    return load_config(
        sets=[
            "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}",
            "data.image={height: 64, width: 32}",
            f"data.targets=[{PEOPLE}]",
            "eval.ranks=[1, 2]",
        ]
    ).config


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with fresh weights."""
    torch.manual_seed(0)
    config = _config()
    model = build_model(config)
    path = tmp_path_factory.mktemp("model") / "net.safetensors"
    save_checkpoint(path, model, config, describe(model, config))
    return path


def test_all_three_artefacts_have_the_same_metrics(cli: Cli, real: Real) -> None:
    found = []
    for model in (real.checkpoint, real.onnx, real.xml):
        result = cli("eval", model, "--data", PEOPLE, "--json")
        assert result.code == 0, result.err
        found.append(json.loads(result.out)["targets"]["synthetic"])
    for other in found[1:]:
        assert other["mAP"] == pytest.approx(found[0]["mAP"], abs=1e-6)
    assert found[0]["valid_queries"] == 6
    assert found[0]["gallery"] == 6


def test_eval_re_ranks_with_the_parameters_given(cli: Cli, checkpoint: Path) -> None:
    found = [
        json.loads(cli("eval", checkpoint, "--json", *options).out)["targets"]["synthetic"]
        for options in ([], ["--rerank", "--lambda", "1"], ["--rerank", "--k1", "2", "--k2", "1", "--lambda", "0"])
    ]
    assert [metrics["reranked"] for metrics in found] == [False, True, True]
    assert found[1]["mAP"] == found[0]["mAP"]
    refused = cli("eval", checkpoint, "--k1", "2")
    assert refused.code == 2
    assert "--k1, --k2 and --lambda are parameters of re-ranking" in refused.err


def test_a_gpu_that_is_not_there_is_one_line(cli: Cli, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    result = cli("eval", checkpoint, "--device", "cuda")
    assert (result.code, result.out) == (2, "")
    assert "no 'cuda' here, torch sees 0 GPUs" in result.err


def test_eval_tests_what_the_model_was_trained_for(cli: Cli, checkpoint: Path) -> None:
    result = cli("eval", checkpoint)
    assert result.code == 0
    assert "rank-2" in result.out
    assert "synthetic" in result.out


def test_a_bound_that_does_not_hold_is_exit_1_after_the_result(cli: Cli, checkpoint: Path) -> None:
    result = cli("eval", checkpoint, "--json", "--fail-under", "mAP=1.01")
    assert result.code == 1
    assert json.loads(result.out)["schema"] == "reidctl.eval/2"
    assert "is under 1.01" in result.err


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("mAP", "not METRIC=VALUE"),
        ("mapp=0.1", "no metric 'mapp'"),
        ("rank7=0.1", "no metric 'rank7'"),
        ("mAP=x", "not METRIC=VALUE"),
        ("mAP=nan", "not METRIC=VALUE"),
    ],
)
def test_a_bound_that_says_nothing_is_exit_2(cli: Cli, checkpoint: Path, bound: str, words: str) -> None:
    # Before the data set is looked at, and long before it is embedded.
    result = cli("eval", checkpoint, "--data", "nowhere", "--fail-under", bound)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_an_onnx_file_has_no_targets_of_its_own(cli: Cli, real: Real) -> None:
    result = cli("eval", real.onnx)
    assert result.code == 2
    assert result.err == "error: no data set to test on\nhint:  name one: --data market1501 --root DIR\n"


@pytest.mark.parametrize(
    ("model", "words"),
    [("missing.onnx", "missing.onnx"), ("retail-0268", "the preset 'retail-0267'"), ("LICENSE", "LICENSE")],
)
def test_what_is_no_model_is_one_line(cli: Cli, model: str, words: str) -> None:
    result = cli("eval", model, "--data", PEOPLE)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err


def test_rank_galleries_are_drawn_and_not_replaced(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    result = cli("visrank", checkpoint, "-o", folder, "--topk", "3", "--worst", "2", "--html")
    assert result.code == 0, result.err
    pictures = list((folder / "synthetic").glob("*.png"))
    assert len(pictures) == 2
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<article") == 2
    assert result.out.endswith(f"{folder / 'index.html'}\n")
    assert cli("visrank", checkpoint, "-o", folder).code == 2


@pytest.mark.parametrize(
    ("options", "count"),
    [(["--best", "1"], 1), (["--random", "4", "--seed", "3"], 4), (["--per-camera", "1"], 2), ([], 6)],
)
def test_queries_are_chosen_in_several_ways(
    cli: Cli, checkpoint: Path, tmp_path: Path, options: list[str], count: int
) -> None:
    result = cli("visrank", checkpoint, "-o", tmp_path / "out", "--topk", "1", "--json", *options)
    assert result.code == 0, result.err
    assert json.loads(result.out)["galleries"] == {"synthetic": count}
    drawn = {path.stem for path in (tmp_path / "out" / "synthetic").iterdir()}
    assert len(drawn) == count
    if "--per-camera" in options:
        assert {name.split("_")[1] for name in drawn} == {"c1", "c2"}


def test_one_option_chooses_the_queries(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    result = cli("visrank", checkpoint, "-o", tmp_path / "out", "--worst", "1", "--random", "2")
    assert result.code == 2
    assert result.err.startswith("error: --worst and --random all choose the queries\n")


def test_a_report_is_four_files_and_no_accident(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    result = cli("eval", checkpoint, "--report", folder, "--json")
    assert result.code == 0, result.err
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == json.loads(result.out)
    assert len((folder / "queries.csv").read_text(encoding="utf-8").splitlines()) == 1 + 6
    assert "## synthetic" in (folder / "report.md").read_text(encoding="utf-8")
    assert "data-ready" not in (folder / "report.html").read_text(encoding="utf-8").partition("<script>")[0]
    assert cli("eval", checkpoint, "--report", folder).code == 2
    assert cli("eval", checkpoint, "--report", folder, "--force").code == 0
    compared = cli("compare", folder, folder / "metrics.json", "--json")
    assert compared.code == 0, compared.err
    one, other = json.loads(compared.out)["results"]
    assert one["metrics"] == other["metrics"]
    assert one["metrics"]["synthetic.mAP"] == json.loads(result.out)["targets"]["synthetic"]["mAP"]


@pytest.mark.parametrize(("command", "lacks"), [("eval", "--report"), ("visrank", "--html")])
def test_a_map_has_no_place_without_a_page(cli: Cli, checkpoint: Path, command: str, lacks: str) -> None:
    result = cli(command, checkpoint, "--umap")
    assert (result.code, result.out) == (2, "")
    assert "--umap" in result.err
    assert lacks in result.err


def test_a_query_that_is_not_there_suggests_the_nearest(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    result = cli("visrank", checkpoint, "-o", tmp_path / "out", "--query", "5000_c1_000")
    assert result.code == 2
    assert "did you mean '5000_c1_0000'?" in result.err
    assert not (tmp_path / "out").exists()


def test_activation_maps_are_drawn(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    result = cli("visact", checkpoint, "-o", tmp_path / "out", "--limit", "1")
    assert result.code == 0, result.err
    [picture] = (tmp_path / "out" / "synthetic").glob("*.jpg")
    width, height = Image.open(picture).size
    assert width > 3 * 64
    assert height == 128


def test_activation_maps_of_an_ir_are_those_of_its_checkpoint(cli: Cli, real: Real, tmp_path: Path) -> None:
    drawn = []
    for name, model in (("checkpoint", real.checkpoint), ("ir", real.xml)):
        result = cli("visact", model, "--data", PEOPLE, "-o", tmp_path / name, "--limit", "2")
        assert result.code == 0, result.err
        pictures = sorted((tmp_path / name / "synthetic").iterdir())
        drawn.append(np.stack([np.asarray(Image.open(picture), np.int16) for picture in pictures]))
    # A level of the heat more or less, and what JPEG makes of it.
    assert np.abs(drawn[0] - drawn[1]).mean() < 1


def test_activation_maps_of_two_images_of_one_name_are_not_drawn_over_each_other(
    cli: Cli, checkpoint: Path, tmp_path: Path
) -> None:
    for name in ("one.png", "one.bmp"):
        Image.new("RGB", (16, 32)).save(tmp_path / name)
    result = cli("visact", checkpoint, "--images", tmp_path, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert sorted(path.stem for path in (tmp_path / "out").rglob("*.*")) == ["one", "one-2"]


@pytest.mark.parametrize(("part", "count"), [("gallery", 6), ("train", 8), ("all", 20)])
def test_activation_maps_of_every_part(cli: Cli, checkpoint: Path, tmp_path: Path, part: str, count: int) -> None:
    result = cli("visact", checkpoint, "-o", tmp_path / "out", "--part", part, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["maps"] == {"synthetic": count}
    assert len(list((tmp_path / "out" / "synthetic").iterdir())) == count


def test_activation_maps_of_a_folder_of_images(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "crops" / "a").mkdir(parents=True)
    Image.new("RGB", (30, 60), (9, 90, 200)).save(tmp_path / "crops" / "a" / "one.png")
    result = cli("visact", checkpoint, "--images", tmp_path / "crops", "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["a__one.jpg"]
    both = cli("visact", checkpoint, "--images", tmp_path / "crops", "--data", PEOPLE, "-o", tmp_path / "other")
    assert both.code == 2
    assert not (tmp_path / "other").exists()


def test_export_writes_what_verify_finds_the_same(cli: Cli, real: Real, tmp_path: Path) -> None:
    ir = tmp_path / "ir"
    assert cli("export", "ir", real.onnx, "-o", ir, "--weights", "fp16").out == f"{ir / 'real.xml'}\n"
    result = cli("verify", real.checkpoint, ir / "real.xml", "--limit", "8", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["ok"]
    assert found["precisions"] == ["f32", "f16"]
    assert cli("export", "onnx", real.checkpoint, "-o", real.onnx).code == 2


@pytest.mark.slow
def test_other_weights_are_exit_1(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = _config()
    model = build_model(config)
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, model, config, describe(model, config))
    result = cli("verify", checkpoint, other, "--limit", "8")
    assert result.code == 1
    assert result.out.rstrip().endswith("not the same network")


@pytest.mark.parametrize("batch", ["0", "x", "-1"])
def test_a_batch_that_is_none_is_refused(cli: Cli, checkpoint: Path, tmp_path: Path, batch: str) -> None:
    result = cli("export", "onnx", checkpoint, "-o", tmp_path / "x.onnx", "--batch", batch)
    assert result.code == 2
    assert not list(tmp_path.iterdir())


def test_int8_needs_images_to_quantise_on(cli: Cli, real: Real) -> None:
    result = cli("export", "ir", real.onnx, "--weights", "int8")
    assert result.code == 2
    assert "--calib" in result.err


def test_embed_and_search_find_the_image_itself(cli: Cli, real: Real, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for name in "abc":
        Image.fromarray(rng.integers(0, 256, (64, 32, 3), np.uint8)).save(images / f"{name}.png")
    for shard in (1, 2):
        part = tmp_path / "parts" / f"{shard}.parquet"
        assert cli("embed", images, "-m", real.xml, "-o", part, "--shard", f"{shard}/2").code == 0
    result = cli("search", images / "b.png", tmp_path / "parts", "-m", real.xml, "-k", "2", "--json")
    assert result.code == 0, result.err
    first, second = json.loads(result.out)["results"]
    assert (first["name"], first["rank"]) == ("b", 1)
    assert first["distance"] == pytest.approx(0, abs=1e-5)
    assert second["distance"] >= first["distance"]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_that_is_none_is_refused(cli: Cli, real: Real, tmp_path: Path, shard: str) -> None:
    (tmp_path / "x.png").touch()
    assert cli("embed", tmp_path, "-m", real.xml, "-o", tmp_path / "f.parquet", "--shard", shard).code == 2


def test_training_runs_refuses_to_replace_and_plans(cli: Cli, tmp_path: Path) -> None:
    line = [
        *(
            "train",
            "--set",
            "model={name: fpn_osnet_x0_25, pooling: avg}",
            "--set",
            "data.image={height: 32, width: 16}",
        ),
        *("--set", f"data.sources=[{PEOPLE}]", "--set", f"data.targets=[{PEOPLE}]", "--set", f"runs={tmp_path}"),
        *("--set", "train.batch_size=4", "--set", "train.epochs=1", "--set", "data.images_per_identity=2"),
        *("--set", "data.workers=0", "--run", "one"),
    ]
    planned = cli(*line, "--dry-run", "--json")
    assert planned.code == 0, planned.err
    assert json.loads(planned.out)["train"]["identities"] == 2
    assert not (tmp_path / "one").exists()
    trained = cli(*line, "--json")
    assert trained.code == 0, trained.err
    assert "synthetic.mAP" in json.loads(trained.out)["metrics"]
    again = cli(*line)
    assert again.code == 2
    assert "--exist-ok" in again.err
    assert cli("eval", tmp_path / "one").code == 0
    refused = cli("train", "--resume", tmp_path / "one", "--set", "seed=1")
    assert refused.code == 2


def test_training_starts_from_foreign_weights(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    state = load_file(checkpoint)
    state["classifier.weight"] = torch.zeros(32, 0)
    del state["fc.0.bias"]
    file = tmp_path / "old.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, file)
    line = [
        *("train", "--set", "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}"),
        *("--set", "data.image={height: 64, width: 32}", "--set", f"data.sources=[{PEOPLE}]"),
        *("--set", "data.targets=[]", "--set", f"runs={tmp_path}", "--set", "train.batch_size=4"),
        *("--set", "data.images_per_identity=2", "--set", "data.workers=0", "--dry-run", "--json", "--weights", file),
    ]
    refused = cli(*line)
    assert refused.code == 2
    assert "missing 1 (fc.0.bias [32])" in refused.err
    assert "--allow-partial" in refused.err
    planned = cli(*line, "--allow-partial")
    assert planned.code == 0, planned.err
    assert f"weights from {file} (PyTorch): {len(state) - 1} loaded, 1 skipped, 1 missing\n" in planned.err
    assert "  skipped module.classifier.weight [32, 0]: class weights, which here belong to a loss\n" in planned.err
    assert "  missing fc.0.bias [32]\n" in planned.err
    found = json.loads(planned.out)["weights"]
    assert found["missing"] == [{"name": "fc.0.bias", "shape": [32], "reason": "", "expected": False}]


def test_resuming_nothing_is_one_line(cli: Cli, tmp_path: Path) -> None:
    result = cli("train", "--resume", tmp_path)
    assert result.code == 2
    assert result.err.startswith(f"error: {tmp_path}: no run to go on with")
