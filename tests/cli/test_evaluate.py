"""What `reidctl eval` tells beside the figures that it always has."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.config import load_config
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from tests.conftest import Cli
from tests.retrieval.oracles import Trial, pair_lists, ranked, slow_metrics

PEOPLE = "{name: synthetic, train_identities: 2, test_identities: 5, cameras: 3, images_per_camera: 2}"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with fresh weights."""
    torch.manual_seed(0)
    model = "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}"
    config = load_config(sets=[model, "data.image={height: 64, width: 32}", "data.targets=[]"]).config
    network = build_model(config)
    path = tmp_path_factory.mktemp("model") / "net.safetensors"
    save_checkpoint(path, network, config, describe(network, config))
    return path


def test_everything_is_in_the_json(cli: Cli, checkpoint: Path) -> None:
    options = ["--fpr", "0.1", "--fpr", "0.2", "--by-camera", "--ranks", "1,3", "--ap", "trapezoid", "--seed", "7"]
    result = cli("eval", checkpoint, "--data", PEOPLE, "--json", "--protocol", "cuhk03", *options)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    found = printed["targets"]["synthetic"]
    assert printed["schema"] == "reidctl.eval/2"
    assert (found["protocol"], found["seed"], found["ap_rule"]) == ("cuhk03", 7, "trapezoid")
    assert {"rank1", "rank3", "mAP", "mINP"} == found["intervals"].keys()
    assert [point["wanted_fpr"] for point in found["operating_points"]] == [0.1, 0.2]
    assert found["operating_points"][0]["fpr"] <= 0.1
    assert [each["camera"] for each in found["cameras"]] == found["camera_pairs"]["query_cameras"]
    assert found["resamples"] == 1000


def test_a_person_reads_which_distance_means_the_same_person(cli: Cli, checkpoint: Path) -> None:
    options = ["--fpr", "0.1", "--by-camera", "--protocol", "single-shot", "--bootstrap", "100"]
    result = cli("eval", checkpoint, "--data", PEOPLE, *options)
    assert result.code == 0, result.err
    assert "synthetic: two images closer than 0." in result.out
    assert "in cosine distance show the same person" in result.out
    assert "(asked for: 0.1)" in result.out
    assert "single-shot, seed 0" in result.out
    assert "95 % intervals, from 100 draws of the queries' people, seed 0" in result.out
    assert "query camera   in 1" in result.out


def test_a_plain_evaluation_says_its_rule_and_protocol_and_no_more(cli: Cli, checkpoint: Path) -> None:
    result = cli("eval", checkpoint, "--data", PEOPLE)
    assert result.code == 0, result.err
    head, _, row = result.out.splitlines()
    assert head.split()[-3:] == ["AP", "rule", "protocol"]
    assert row.split()[-2:] == ["step", "market1501"]
    found = json.loads(cli("eval", checkpoint, "--data", PEOPLE, "--json").out)["targets"]["synthetic"]
    assert {"intervals", "pairs"} & found.keys() == set()


def test_several_data_sets_are_each_scored_as_alone(cli: Cli, checkpoint: Path) -> None:
    others = PEOPLE.replace("test_identities: 5", "test_identities: 4")
    alone = [json.loads(cli("eval", checkpoint, "--data", data, "--json").out)["targets"] for data in (PEOPLE, others)]
    together = json.loads(cli("eval", checkpoint, "--data", PEOPLE, "--data", others, "--json").out)["targets"]
    assert together == {"synthetic": alone[0]["synthetic"], "synthetic-2": alone[1]["synthetic"]}
    assert together["synthetic"] != together["synthetic-2"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fpr", "0"], "0 is no false match rate"),
        (["--fpr", "1.5"], "1.5 is no false match rate"),
        (["--fpr", "1e-9"], "the smallest possible is"),
        (["--ranks", "0,1"], "ranks start at 1"),
        (["--ranks", "1,x"], "not whole numbers between commas"),
        (["--protocol", "market"], "'market'"),
        (["--metric", "manhattan"], "'manhattan'"),
        (["--bootstrap", "3"], "--bootstrap"),
    ],
)
def test_what_cannot_be_told_is_one_line(cli: Cli, checkpoint: Path, options: list[str], words: str) -> None:
    result = cli("eval", checkpoint, "--data", PEOPLE, *options)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (("query", "gallery"), "every image has the same camera"),
        (("query", "query"), "gallery"),
        (("gallery", "gallery"), "query"),
    ],
)
def test_images_that_make_no_test_are_explained(
    cli: Cli, checkpoint: Path, tmp_path: Path, splits: tuple[str, str], words: str
) -> None:
    lines = ["path,identity,camera,split"]
    for number, split in enumerate(splits):
        Image.new("RGB", (32, 64), (40 * number, 80, 120)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,anna,hall,{split}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    result = cli("eval", checkpoint, "--data", "{name: csv, file: list.csv}", "--root", tmp_path)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err


def test_a_network_that_answers_zeros_is_told(cli: Cli, tmp_path: Path) -> None:
    config = load_config(sets=["model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}"]).config
    network = build_model(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    save_checkpoint(tmp_path / "net.safetensors", network, config, describe(network, config))
    result = cli("eval", tmp_path / "net.safetensors", "--data", PEOPLE)
    assert result.code == 2
    assert "query features: row 0 is all zeros, which has no cosine distance" in result.err


@pytest.mark.slow
def test_a_published_network_is_scored_as_by_a_slow_loop_on_the_same_embeddings(real_data: Path) -> None:
    """Rank-1, mAP, a threshold of the published 0287 network on market1501-dev; its known figures are 93.8 / 88.1."""
    from reidctl.api import load_dataset
    from reidctl.retrieval import analyse, embed
    from reidctl.runtimes import open_embedder

    network = real_data / "models" / "omz" / "0287-FP32" / "person-reidentification-retail-0287.xml"
    data, embedder = load_dataset("market1501", real_data / "data"), open_embedder(network)
    query, gallery = embed(embedder, data.query), embed(embedder, data.gallery)
    found = analyse(query, gallery, false_match_rates=(0.001,), bootstrap=100, by_camera=True)

    one, other = (np.float64(side.vectors) for side in (query, gallery))
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    distances = 1 - one @ other.T / lengths
    labels = query.identities, gallery.identities, query.cameras, gallery.cameras
    trial = Trial(query.vectors, gallery.vectors, *labels)
    first, precisions, penalties = slow_metrics(trial, distances)
    assert found.metrics.cmc[1] == pytest.approx(np.mean(np.array(first) == 1), abs=1e-12)
    assert found.metrics.mAP == pytest.approx(np.mean(precisions), abs=1e-6)
    assert found.metrics.mINP == pytest.approx(np.mean(penalties), abs=1e-6)
    assert (100 * found.metrics.cmc[1], 100 * found.metrics.mAP) == pytest.approx((93.8, 88.1), abs=0.06)
    assert found.metrics.gallery == len(ranked(trial, 0, distances)) + sum(
        (gallery.identities == query.identities[0]) & (gallery.cameras == query.cameras[0])
    )
    different = np.sort(np.concatenate([each[2] for each in pair_lists(trial, distances)]))
    assert found.operating_points[0].threshold == pytest.approx(different[len(different) // 1000], abs=1e-6)


def test_the_page_of_visrank_has_the_figures_of_eval(cli: Cli, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}"
    sets = [model, "data.image={height: 64, width: 32}", "data.targets=[]", "eval.protocol=single-shot"]
    config = load_config(sets=sets).config
    network, path = build_model(config), tmp_path / "net.safetensors"
    save_checkpoint(path, network, config, describe(network, config))
    result = cli("visrank", path, "--data", PEOPLE, "--html", "--worst", "1", "-o", tmp_path / "drawn")
    assert result.code == 0, result.err
    assert "protocol single-shot" in (tmp_path / "drawn" / "index.html").read_text(encoding="utf-8")
