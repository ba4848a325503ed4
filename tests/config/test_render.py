"""A rendered configuration reads back as itself, and says what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.config import RunConfig, load_config
from reidctl.config.reader import read_text
from reidctl.config.render import render, render_origins, render_starter
from reidctl.registry import presets


def test_a_configuration_reads_like_one_written_by_hand() -> None:
    sets = ["run='0267'", "train.lr=1e-5", "data.root='a: b'", "eval.rerank={k1: 5}", "losses=[softmax, triplet]"]
    text = render(load_config("retail-0267", sets=sets).config)
    assert text.startswith(
        'preset: retail-0267\nrun: "0267"\nruns: runs\nseed: 0\ndeterministic: false\ndevice: auto\nweights: null\n'
        "allow_partial: false\nmodel: {name: fpn_osnet_x0_5, "
    )
    assert "\nlosses:\n  - {name: softmax, weight: 1.0}\n  - {name: triplet, weight: 1.0}\n" in text
    assert '\ndata:\n  root: "a: b"\n  sources:\n    - {name: msmt17, with_validation: true}\n' in text
    assert "\n    - resize\n    - {name: random_flip, p: 0.5}\n" in text
    assert "\n  lr: 1.0e-05\n" in text
    assert text.endswith("  rerank:\n    k1: 5\n    k2: 6\n    lambda_value: 0.3\n")
    assert max(map(len, text.splitlines())) <= 120


def test_of_a_mapping_only_what_it_holds_is_rendered() -> None:
    assert render({"train": {"epochs": 5, "milestones": []}}) == "train:\n  epochs: 5\n  milestones: []\n"


def test_a_part_too_long_for_a_line_becomes_a_block() -> None:
    parameters = {f"parameter_{letter}": 0.123456 for letter in "abcdef"}
    text = render({"losses": [{"name": "softmax", **parameters}]})
    assert text.startswith("losses:\n  - name: softmax\n    parameter_a: 0.123456\n")
    assert read_text(text, "").values == {"losses": [{"name": "softmax", **parameters}]}


def test_only_a_bare_part_is_shortened_to_its_name() -> None:
    assert render({"model": {"name": "x"}}) == "model: x\n"
    assert render({"model": {"name": "x", "inner": {"name": "b"}}}) == "model: {name: x, inner: {name: b}}\n"


def test_every_value_says_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text("losses:\n  - {name: am_softmax, margin: 0.3}\neval:\n  ranks: [1,\n    5]\n", "utf-8")
    Path("more.yaml").write_text("data: {workers: 0}\n", "utf-8")
    monkeypatch.setenv("REIDCTL_SEED", "7")
    files = [Path("run.yaml"), (tmp_path / "more.yaml").absolute()]
    lines = render_origins(load_config(files=files, sets=["losses.0.scale=20.0", "train.epochs=5"])).splitlines()
    origins = dict(line.split("  # ") for line in lines if "  # " in line)
    origins = {line.strip().removeprefix("- "): origin for line, origin in origins.items()}
    assert origins["seed: 7"] == "REIDCTL_SEED"
    assert origins["epochs: 5"] == "--set train.epochs"
    assert origins["lr: 0.0015"] == "default"
    assert origins["workers: 0"] == "more.yaml:1"
    assert origins["model: fpn_osnet_x1_0"] == "default"
    assert (origins["name: am_softmax"], origins["margin: 0.3"], origins["scale: 20.0"]) == (
        "run.yaml:2",
        "run.yaml:2",
        "--set losses.0.scale",
    )
    assert (origins["1"], origins["5"]) == ("run.yaml:4", "run.yaml:5")
    columns = {line.index("  # ") for line in lines if "  # " in line}
    assert len(columns) == 1


def test_the_starter_opens_with_schema_and_commands_and_explains_every_key() -> None:
    text = render_starter(load_config("retail-0267").config)
    assert text.startswith("# yaml-language-server: $schema=reidctl.schema.json\n")
    assert "#   reidctl train -c run.yaml --root data\n" in text
    assert "#   reidctl eval runs/retail-0267 --root data\n" in text
    assert "  milestones: [40, 50]" in text
    explained = " ".join(text.replace("\n", " ").replace("#", " ").split())
    for record in (RunConfig, *(type(getattr(RunConfig(), key)) for key in ("data", "train", "eval"))):
        for name, field in record.model_fields.items():
            assert " ".join(str(field.description).split()) in explained, name
    assert "(adam | amsgrad | adamw | sgd | rmsprop | radam)" in explained
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("preset", [None, *presets.names()])
def test_presets_read_back_as_themselves(tmp_path: Path, preset: str | None) -> None:
    loaded = load_config(preset)
    for text in (render(loaded.config), render_origins(loaded), render_starter(loaded.config)):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        assert load_config(files=[path]).config == loaded.config


ODD = ["", "0267", "1e5", "yes", "Null", "~", "a: b", "- a", "#", "x #y", "a,b", "[", "{a}", "\n", "\t", "\ufeff"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([*ODD, "\u2028", "é😀", ".", "name"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
KEYS = st.sampled_from(["model", "losses", "data", "transforms", "sources", "train", "eval", "name", "x"])
BRANCHES = st.dictionaries(KEYS, TREES, max_size=4) | st.lists(TREES, max_size=3) | TREES
CONFIGS = st.dictionaries(KEYS, BRANCHES, max_size=4)


def spelled_out(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """`value` with `{name: x}` for the parts that are written as x."""
    lists = {("losses",), ("data", "sources"), ("data", "targets"), ("data", "transforms")}
    if isinstance(value, str) and (path == ("model",) or (path[:-1] in lists and isinstance(path[-1], int))):
        return {"name": value}
    if isinstance(value, dict):
        return {key: spelled_out(child, (*path, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [spelled_out(child, (*path, index)) for index, child in enumerate(value)]
    return value


@given(CONFIGS)
def test_any_values_read_back_as_themselves(values: dict[str, Any]) -> None:
    assert spelled_out(read_text(render(values), "rendered").values) == spelled_out(values)


@settings(max_examples=25)
@given(
    st.builds(
        RunConfig,
        run=st.none() | TEXTS.filter(bool),
        data=st.just(RunConfig().data.model_copy(update={"root": Path("a\nb # c")})),
        seed=st.integers(0, 2**32 - 1),
        weights=st.none() | st.text("ab/\n '\"#:", min_size=1).map(Path),
    )
)
def test_a_starter_reads_back_whatever_its_values(config: RunConfig) -> None:
    values = read_text(render_starter(config), "starter").values
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    assert values["run"] == config.run
    assert values["weights"] == (None if config.weights is None else str(config.weights))
    assert values["data"]["root"] == "a\nb # c"
