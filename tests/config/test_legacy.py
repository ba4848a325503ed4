"""Configurations of the original toolkit become ours, and every one of its keys is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.config import RunConfig, load_config
from reidctl.config.legacy import Conversion, convert
from reidctl.config.legacy.fates import UNSTATED, Dropped
from reidctl.config.legacy.keys import BETWEEN, KEYS, fate
from reidctl.config.parts import check_parts, parts, with_defaults
from reidctl.config.reader import read_file, read_text
from reidctl.errors import ConfigError
from reidctl.types import Spec

ALL_KEYS = read_file(Path(__file__).parent / "legacy_keys.yaml").values
TREE: dict[str, Any] = ALL_KEYS["february_2021"]
OTHER_REVISIONS: list[str] = ALL_KEYS["other_revisions"]


def flat(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{section}{key}.") if isinstance(value, dict) else {f"{section}{key}": value}
    return found


def yaml(values: dict[str, Any]) -> str:
    """Dotted keys as YAML sections."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        here = found
        for step in above:
            here = here.setdefault(step, {})
        here[last] = value
    return json.dumps(found)


def another(value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool) or value is UNSTATED:
        return value is not True
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list | tuple):
        return [another(item) for item in value] or ["x"]
    return value / 2 or 0.5 if isinstance(value, float) else value + 1


LEAVES = flat(TREE)

PRESET = """
model:
  name: {name}
  pretrained: {pretrained}
  load_weights: ''
  feature_dim: 256
  IN_first: True
  pooling_type: 'conv'
  {lct_gate}
  fpn:
    enable: False
data:
  type: 'image'
  sources: ['msmt17']
  targets: ['market1501']
  combineall: True
  {min_samples}
  save_dir: 'outputs/reid-{number}'
  transforms:
    random_flip: {{enable: True, p: 0.5}}
    random_erase: {{enable: True, p: 0.5}}
    random_figures: {{enable: True, p: 0.33}}
    random_padding: {{enable: True, p: 0.25}}
    color_jitter: {{enable: True, p: 0.8, brightness: 0.15, contrast: 0.15, saturation: 0.1, hue: 0.1}}
    random_rotate: {{enable: True, p: 0.33}}
    random_gray_scale: {{enable: True, p: 0.1}}
    random_grid: {{enable: True, p: 0.15}}
loss:
  name: 'am_softmax'
  softmax:
    m: 0.35
    s: 30.0
    conf_penalty: 0.3
    label_smooth: {label_smooth}
    pr_product: True
sampler:
  train_sampler: 'RandomIdentitySamplerV2'
train:
  optim: 'amsgrad'
  lr: 0.0015
  max_epoch: 65
  batch_size: 64
  fixbase_epoch: 5
  open_layers: ['classifier', 'fc', 'global_avgpool']
  lr_scheduler: 'multi_step'
  stepsize: [40, 50]
  warmup: 0
test:
  batch_size: 300
  dist_metric: 'cosine'
  normalize_feature: True
  evaluate: False
  eval_freq: 5
  rerank: False
  visactmap: False
metric_losses:
  enable: False
"""


def preset(number: str) -> str:
    width = {"0248": "x0_25", "0265": "x1_0", "0267": "x0_5", "0270": "x0_75"}[number]
    first = number == "0248"
    return PRESET.format(
        number=number,
        name=f"fpn_osnet_{width}",
        pretrained=first,
        lct_gate="" if first else "lct_gate: True",
        min_samples="" if first else "min_samples_per_id: 10\n  min_samples_per_id: 8",
        label_smooth=not first,
    )


def config(conversion: Conversion) -> RunConfig:
    return RunConfig.model_validate_json(RunConfig.model_validate(conversion.values, strict=False).model_dump_json())


def test_the_tree_is_complete() -> None:
    assert len(LEAVES) == 234
    assert set(BETWEEN) == {*LEAVES, "use_gpu"}


@pytest.mark.parametrize("key", LEAVES)
def test_every_key_has_its_default_and_a_counterpart_or_a_reason(key: str) -> None:
    found = BETWEEN[key]
    default = list(found.default) if isinstance(found.default, tuple) else found.default
    assert (default, type(default)) == (LEAVES[key], type(LEAVES[key]))
    assert found.reason if isinstance(found, Dropped) else found.ours


@pytest.mark.parametrize("key", OTHER_REVISIONS)
def test_every_key_of_other_revisions_has_a_counterpart_or_a_reason(key: str) -> None:
    found = fate(key)
    assert found is not None
    assert found.reason if isinstance(found, Dropped) else found.ours


def test_what_values_are_carried_over_to_exists() -> None:
    known = {*flat(RunConfig().model_dump(mode="json")), "runs, run", "the files are one here"}
    ours = {found.ours for found in KEYS.values() if not isinstance(found, Dropped)}
    assert {key for key in ours if not key.startswith(("model.", "data.transforms: "))} <= known


@pytest.mark.parametrize("key", [*sorted(LEAVES.keys() - {"data.combineall"}), *OTHER_REVISIONS[1:]])
def test_a_given_key_is_never_lost_without_a_word(key: str) -> None:
    found = fate(key)
    assert found is not None
    conversion = convert(yaml({key: another(found.default)}))
    assert [name for name, *_ in (*conversion.mapped, *conversion.dropped)] == [key]
    assert conversion.unknown == []


@pytest.mark.parametrize("number", ["0248", "0265", "0267", "0270"])
def test_the_original_presets_become_ours(number: str) -> None:
    conversion = convert(preset(number))
    ours = load_config(f"retail-{number}").config
    theirs = with_defaults(config(conversion))
    assert (theirs.runs, theirs.run) == (Path("outputs"), f"reid-{number}")
    assert theirs.model_copy(update={"runs": ours.runs, "run": None, "preset": ours.preset}) == with_defaults(ours)
    expected = {"train.warmup"} | ({"model.pretrained"} if number == "0248" else set())
    assert {key for key, *_ in conversion.dropped} == expected
    assert conversion.unknown == []
    repeated = ["text:18: data.min_samples_per_id is given twice; the last value stands, as in the original"]
    erase = "data.transforms.random_erase: in the original it never changed an image; here it erases"
    assert conversion.notes == [*(repeated if number != "0248" else []), erase]


@pytest.mark.parametrize("number", ["0248", "0265", "0267", "0270"])
def test_a_converted_file_loads_as_it_was_converted(tmp_path: Path, number: str) -> None:
    conversion = convert(preset(number))
    path = tmp_path / "run.yaml"
    path.write_text(conversion.text(), encoding="utf-8")
    loaded = load_config(files=[path])
    check_parts(loaded)
    assert loaded.config == config(conversion)
    assert "\n# Without counterpart:\n" in conversion.text()
    assert "\n#   train.warmup: 0\n#     read only where train.lr_scheduler is" in conversion.text()


def test_the_defaults_of_the_original_are_carried_over_where_ours_differ() -> None:
    ours = config(convert(""))
    assert (ours.model.name, ours.train.optimizer) == ("resnet50", "adam")
    assert (ours.train.lr, ours.train.batch_size) == (3e-4, 32)
    assert (ours.train.schedule, ours.train.milestones, ours.data.sampler) == ("multi_step", (20, 40), "random")
    assert (ours.eval.metric, ours.eval.batch_size, ours.train.eval_every) == ("euclidean", 100, 0)
    assert (ours.data.root, ours.data.workers, ours.seed) == (Path("data"), "auto", 0)
    assert [spec.name for spec in ours.data.transforms] == ["resize", "random_flip"]


def test_values_at_their_defaults_are_no_news() -> None:
    conversion = convert(yaml(LEAVES))
    assert conversion.dropped == []
    assert conversion.unknown == []


def test_augmentations_have_the_same_defaults_in_both() -> None:
    switches: dict[str, Any] = {
        key: True for key in LEAVES if key.endswith(".enable") and key.startswith("data.transforms.")
    }

    def complete(text: str) -> tuple[Spec, ...]:
        return with_defaults(config(convert(text))).data.transforms

    switches["model.name"] = "osnet_x1_0"
    assert complete(yaml(LEAVES | switches)) == complete(yaml(switches))


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train: {lr: 1}", "train.lr", 1.0),
        ("train: {lr: 3e-4}", "train.lr", 3e-4),
        ("train: {max_epoch: 30}", "train.milestones", [20]),
        ("train: {max_epoch: 20}", "train.schedule", "constant"),
        ("train: {lr_scheduler: cosine}", "train.schedule", "cosine"),
        ("train: {lr_scheduler: multi_step_warmup, stepsize: [30], warmup: 4}", "train.warmup_epochs", 4),
        ("train: {lr_scheduler: warmup, base_scheduler: cosine, warmup: 3}", "train.schedule", "cosine"),
        ("train: {optim: sam, base_optim: sgd}", "train.optimizer", "sgd"),
        ("train: {optim: sam, base_optim: sgd}", "train.sam_rho", 0.05),
        ("train: {staged_lr: True}", "train.base_lr_mult", 0.1),
        ("train: {staged_lr: True, new_layers: [classifier, fc]}", "train.new_layers", ["fc"]),
        ("train: {ema: {enable: True, ema_decay: 0.99}}", "train.ema_decay", 0.99),
        ("train: {lr_scheduler: reduce_on_plateau}", "train.schedule", "plateau"),
        ("train: {optim: amsgrad, deterministic: True}", "train.optimizer", "adamw"),
        ("train: {deterministic: True}", "deterministic", True),
        ("train: {seed: 5}", "seed", 5),
        ("train: {fixbase_epoch: 3}", "train.open_layers", ["fc"]),
        ("adam: {beta1: 0.5}", "train.betas", [0.5, 0.999]),
        ("sampler: {num_instances: 8}", "data.images_per_identity", 8),
        ("sampler: {train_sampler: RandomIdentitySamplerV3}", "data.sampler", "identity_v3"),
        ("data: {sources: [[msmt17, market1501], synthetic]}", "data.sources.2.name", "synthetic"),
        ("data: {sources: [msmt17], combineall: True}", "data.sources.0.with_validation", True),
        ("market1501: {use_500k_distractors: True}", "data.targets.0.distractors_500k", True),
        ("data: {min_samples_per_id: 0}", "data.min_images_per_identity", 1),
        ("data:\n  norm_mean: (0.5, 0.5, 0.5)", "data.image.mean", [0.5, 0.5, 0.5]),
        ("data: {save_dir: reid}", "runs", "."),
        ("test: {eval_freq: 3}", "train.eval_every", 3),
        ("test: {rerank: on}", "eval.rerank", {"k1": 20, "k2": 6, "lambda_value": 0.3}),
        ("test: {normalize_feature: True}", "eval.metric", "cosine"),
        ("test: {use_flip: True}", "eval.flip", True),
        ("model: {load_weights: osnet.pth}", "weights", "osnet.pth"),
        ("model: {name: osnet_x1_0, feature_dim: 256}", "model", {"name": "osnet_x1_0", "embedding_dim": 256}),
        ("model: {name: fpn_osnet_x1_0}", "model.activation", "relu"),
        ("model: {name: fpn_osnet_x1_0}", "model.fpn", {"dim": 256, "process": "concatenation"}),
        ("model: {name: fpn_osnet_x1_0, fpn_dim: 64}", "model.fpn.dim", 64),
        ("model: {name: fpn_osnet_x1_0, gap_as_conv: True}", "model.pooling", "conv"),
        ("model: {name: fpn_osnet_x1_0, pooling_type: gmp}", "model.pooling", "gmp"),
        ("model: {name: fpn_osnet_x1_0, dropout_prob: 0.1}", "model.dropout.p", 0.1),
        ("model: {name: fpn_osnet_x1_0, dropout_backbone: {dist: gaussian}}", "model.dropout.distribution", "gaussian"),
        ("loss: {name: am_softmax, softmax: {conf_pen: 0.3}}", "losses.0.confidence_penalty", 0.3),
        ("loss: {name: am_softmax, softmax: {margin_type: arc}}", "losses.0.margin_type", "arc"),
        ("loss: {name: am_softmax, softmax: {symmetric_ce: True}}", "losses.0.symmetric", 1.0),
        ("loss: {name: am_softmax, softmax: {adaptive_margins: True}}", "losses.0.adaptive_margins", True),
        ("loss: {name: am_softmax, softmax: {class_weighting: True}}", "losses.0.class_weighting", True),
        (
            "loss: {name: am_softmax, softmax: {end_s: 5.0, duration_s: 20, skip_steps_s: 2}}",
            "losses.0.scale_schedule",
            {"end": 5.0, "epochs": 20.0, "hold": 2.0},
        ),
        (
            "metric_losses: {enable: True, local_push_coeff: 0.3, triplet_margin: 0.4}",
            "losses.1",
            {
                "name": "metric",
                "center": 0.0,
                "triplet": 0.0,
                "local_push": 0.3,
                "center_margin": 0.1,
                "triplet_margin": 0.4,
                "local_push_margin": 0.1,
                "smart_margin": True,
                "balance": True,
            },
        ),
        # Balanced, the original does not look at the coefficients.
        ("metric_losses: {enable: True, center_coeff: 0.3, local_push_coeff: 0.0}", "losses.1.center", 1.0),
        ("metric_losses: {enable: True, center_coeff: 0.3, loss_balancing: False}", "losses.1.center", 0.3),
        ("reg: {ow: True, ow_beta: 0.002}", "losses.1", {"name": "filter_orthogonality", "weight": 0.02}),
        ("reg: {nw: True}", "losses.1", {"name": "filter_norms", "max_ratio": 10.0, "weight": 10.0}),
        ("reg: {hd: True}", "losses.1", {"name": "filter_correlation", "max_cosine": 0.5, "weight": 10.0}),
        ("loss: {name: softmax, softmax: {label_smooth: True}}", "losses.0.label_smoothing", 0.1),
        ("loss: {name: triplet, triplet: {weight_x: 0.5}}", "losses.1", {"name": "softmax", "weight": 0.5}),
        ("data: {transforms: {random_erase: {enable: True, sl: 0.1}}}", "data.transforms.2.area", [0.1, 0.4]),
        ("data: {transforms: {random_erase: {enable: True, r1: 0.5}}}", "data.transforms.2.aspect", [0.5, 2.0]),
        (
            "data: {transforms: {random_grid: {enable: True, before_resize: False}}}",
            "data.transforms.1.name",
            "random_grid",
        ),
        ("data: {transforms: {random_grid: {enable: True, thickness: [3, 3]}}}", "data.transforms.0.thickness", 4),
        ("data: {transforms: {random_padding: {enable: True, padding: [0, 5]}}}", "data.transforms.0.largest", 5),
        ("data: {transforms: {random_crop: {enable: True}}}", "data.transforms.0.align", True),
        (
            "data: {transforms: {color_jitter: {enable: True}, augmix: {enable: True}}}",
            "data.transforms.2.contrast",
            0.2,
        ),
    ],
)
def test_a_value_arrives_where_it_belongs(text: str, path: str, value: object) -> None:
    here: Any = convert(text).values
    for step in path.split("."):
        here = here[int(step) if isinstance(here, list) else step]
    assert here == value


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("test: {evaluate: True}", "test.evaluate"),
        ("train: {optim: lamb}", "train.optim"),
        ("train: {lr_scheduler: no_such}", "train.lr_scheduler"),
        ("train: {staged_lr: True, base_lr_mult: 2.0}", "train.base_lr_mult"),
        ("train: {base_lr_mult: 0.2}", "train.base_lr_mult"),
        ("train: {early_stoping: True}", "train.early_stoping"),
        ("sampler: {train_sampler: SequentialSampler}", "sampler.train_sampler"),
        ("model: {name: resnet50, lct_gate: True}", "model.lct_gate"),
        ("model: {name: fpn_osnet_x1_0, pooling_type: max}", "model.pooling_type"),
        ("model: {name: fpn_osnet_x1_0, openvino: {name: a.xml}}", "model.openvino.name"),
        ("loss: {name: contrastive}", "loss.name"),
        ("loss: {name: softmax, softmax: {s: 10.0}}", "loss.softmax.s"),
        ("loss: {name: am_softmax, softmax: {conf_pen: 0.1, label_smooth: True}}", "loss.softmax.label_smooth"),
        ("metric_losses: {enable: True, local_push_coeff: 0.0}", "metric_losses.enable"),
        ("metric_losses: {enable: True, triplet_coeff: 1.0, triplet: invdist}", "metric_losses.triplet"),
        ("loss: {name: am_softmax, softmax: {end_s: 5.0}}", "loss.softmax.end_s"),
        ("metric_losses: {local_push_weight: 0.5}", "metric_losses.local_push_weight"),
        ("data: {save_dir: ..}", "data.save_dir"),
        ("data: {transforms: {random_rotate: {enable: True, angle: [0, 5]}}}", "data.transforms.random_rotate.angle"),
        ("data: {transforms: {random_rotate: {enable: False, p: 0.1}}}", "data.transforms.random_rotate.p"),
        ("data: {transforms: {random_blur: {enable: True}}}", "data.transforms.random_blur.enable"),
        ("test: {dist_metric: manhattan}", "test.dist_metric"),
    ],
)
def test_a_value_without_counterpart_is_listed_with_its_reason(text: str, key: str) -> None:
    conversion = convert(text)
    ((found, _, reason),) = conversion.dropped
    assert found == key
    assert len(reason) > 10
    assert f"#   {key}: " in conversion.text()


def test_a_list_of_augmentations_as_torchreid_has_it_is_taken() -> None:
    found = convert("data: {transforms: [random_erase, color_jiter]}")
    assert [part["name"] for part in found.values["data"]["transforms"]] == ["resize", "random_erase"]
    assert [str(item) for item in found.unknown] == [
        "data.transforms.color_jiter.enable: true: no revision of the original has this key; "
        "did you mean data.transforms.color_jitter.enable?"
    ]
    assert any("data.transforms is a list, as in torchreid" in note for note in found.notes)
    with pytest.raises(ConfigError, match=r"data\.transforms: should be keys and values"):
        convert("data: {transforms: [1]}")


def test_an_augmentation_of_the_same_name_is_pointed_out() -> None:
    found = convert("data: {transforms: {random_blur: {enable: true}}}")
    assert found.dropped == [
        ("data.transforms.random_blur.enable", True, "with other parameters: list random_blur in data.transforms")
    ]


def test_a_key_of_no_revision_is_listed_with_the_nearest() -> None:
    conversion = convert("train: {learning: 1, max_epochs: 5}\nfoo: {bar: {}}\n")
    assert [(item.key, item.value, item.near) for item in conversion.unknown] == [
        ("train.learning", 1, "train.lr"),
        ("train.max_epochs", 5, "train.max_epoch"),
        ("foo.bar", {}, None),
    ]
    assert (
        "#   train.max_epochs: 5: no revision of the original has this key; did you mean train.max_epoch?"
        in conversion.text()
    )


def test_parts_that_are_not_installed_are_noted() -> None:
    notes = convert("data: {sources: [market1502], targets: []}\nmodel: {name: fpn_osnet_x1_0}").notes
    assert "data.sources.0: no dataset named 'market1502'; did you mean 'market1501'?" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {max_epoch: many}", 'text:1:20: train.max_epoch: should be a whole number (got "many")'),
        ("train: {max_epoch: 5.0}", "text:1:20: train.max_epoch: should be a whole number (got 5.0)"),
        ("train: {lr: true}", "text:1:13: train.lr: should be a number (got true)"),
        ("train: {lr: 1e400}", "text:1:13: train.lr: should be a number (got Infinity)"),
        ("train: {lr: -1}", "text: train.lr: should be greater than 0 (got -1.0)"),
        ("train: 5", "text:1:8: train: should be keys and values (got 5)"),
        ("test: {rerank: 1}", "text:1:16: test.rerank: should be true or false (got 1)"),
        ("sampler: {num_instances: x}", 'text:1:26: sampler.num_instances: should be a whole number (got "x")'),
        (
            "data: {transforms: {random_padding: {enable: True, padding: 5}}}",
            "text:1:61: data.transforms.random_padding.padding: should be a list of 2 numbers (got 5)",
        ),
        ("data: {combineall: True}", "text: data.combineall would train on the test images of the target 'market1501'"),
        ("a: [1", "text:1:6: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_what_the_original_would_refuse_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        convert(text)
    assert str(error.value) == message


def test_a_base_lies_under_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "far.yml").write_text("train: {lr: 0.5, max_epoch: 7}\ndata: {height: 128}\n", "utf-8")
    (tmp_path / "bases" / "near.yml").write_text("_base_: far.yml\ntrain: {lr: 0.25, batch_size: 16}\n", "utf-8")
    file = tmp_path / "run.yml"
    file.write_text("_base_: bases/near.yml\ntrain: {batch_size: 8}\n", "utf-8")
    conversion = convert(file)
    train = conversion.values["train"]
    assert (train["lr"], train["epochs"], train["batch_size"], conversion.values["data"]["image"]) == (
        *(0.25, 7, 8),
        {"height": 128},
    )
    assert [note.rpartition("laid over ")[2] for note in conversion.notes[:2]] == [
        "its base bases/near.yml",
        "its base far.yml",
    ]


@pytest.mark.parametrize("base", ["run.yml", "other.yml", "none.yml", '"\\0"', "[a, b]", "5"])
def test_a_base_that_is_a_circle_or_no_file_is_refused(tmp_path: Path, base: str) -> None:
    file = tmp_path / "run.yml"
    file.write_text(f"_base_: {base}\n", "utf-8")
    (tmp_path / "other.yml").write_text("_base_: run.yml\n", "utf-8")
    with pytest.raises(ConfigError, match=r"base|No such file|null byte"):
        convert(file)


ODD = st.sampled_from(["", "conv", "(0, 1)", "x", "1e9", "None"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*LEAVES, *OTHER_REVISIONS[1:]]), VALUES, max_size=6), st.booleans())
def test_any_values_are_converted_or_refused(values: dict[str, Any], known: bool) -> None:
    names = {"model.name": "fpn_osnet_x0_5", "loss.name": "am_softmax"} if known else {}
    result = outcome(yaml(values | names))
    if isinstance(result, Conversion):
        assert read_text(result.text(), "text").values.keys() == result.values.keys()
        assert list(parts(config(result)))
    else:
        assert str(result).startswith("text")


def outcome(text: str) -> Conversion | ConfigError:
    try:
        return convert(text)
    except ConfigError as error:
        return error


@given(st.text() | st.text("&*!|>%@`{}[],:-?<=~#'\" \n\t0.eExob_"))
def test_any_text_is_converted_or_refused(text: str) -> None:
    assert "text" in (result.text() if isinstance(result := outcome(text), Conversion) else str(result))
