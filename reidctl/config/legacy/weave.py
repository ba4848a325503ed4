"""Values of ours that are made from several of the original's."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from reidctl.config.legacy.settings import Settings
from reidctl.config.schema import Rerank

Part = dict[str, Any]

OPTIMIZERS = ("adam", "amsgrad", "sgd", "rmsprop", "radam")
SMOOTHING = 0.1
"""What the original's switch for label smoothing stands for."""


def model(settings: Settings) -> Part:
    """The network; only the OSNets of re-identification have parameters."""
    name = settings.value("model.name")
    part: Part = {"name": name}
    fpn = name.startswith("fpn_osnet_")
    if fpn or (name.startswith("osnet_") and "ain" not in name):
        dim = settings.value("model.feature_dim")
        part["embedding_dim"] = dim if dim > 0 else None
    if not fpn:
        return part
    part |= {"pooling": _pooling(settings), "input_norm": settings.value("model.IN_first")}
    part |= {key: True for key in ("lct_gate", "extra_blocks") if settings.value(f"model.{key}")}
    if settings.value("loss.name") != "am_softmax":
        part["activation"] = "relu"
    if settings.value("model.fpn.enable"):
        part["fpn"] = {key: settings.value(f"model.fpn.{key}") for key in ("dim", "process")}
    dropout = {key: settings.value(f"model.dropout.{key}") for key in ("p", "mu", "sigma", "kernel", "temperature")}
    distribution = settings.value("model.dropout.dist")
    if distribution != "none" or dropout["p"]:
        part["dropout"] = {"distribution": distribution, **dropout}
    return part


def _pooling(settings: Settings) -> str:
    asked = settings.value("model.pooling_type")
    if settings.value("model.gap_as_conv"):
        return "conv"
    found = next((kind for kind in ("conv", "avg", "gmp") if kind in asked), None)
    if found is None:
        settings.drop("model.pooling_type", f"there is no pooling {asked}; avg stands in its place")
    return found or "avg"


def losses(settings: Settings) -> list[Part]:
    """The losses, most often one."""
    name = settings.value("loss.name")
    if name == "am_softmax":
        return [_am_softmax(settings)]
    if name == "softmax":
        settings.notes.append("loss softmax: the original multiplies the logits by loss.softmax.s, this toolkit does not")
        return [{"name": "softmax", **_smoothing(settings)}]
    if name == "triplet":
        weights = {key: settings.value(f"loss.triplet.weight_{key}") for key in ("t", "x")}
        found = [{"name": "triplet", "margin": settings.value("loss.triplet.margin"), "weight": weights["t"]}]
        return [*found, {"name": "softmax", "weight": weights["x"], **_smoothing(settings)}] if weights["x"] else found
    settings.drop("loss.name", f"there is no loss {name}; am_softmax stands in its place")
    return [_am_softmax(settings)]


def _am_softmax(settings: Settings) -> Part:
    part = {"name": "am_softmax", "margin": settings.value("loss.softmax.m"), "scale": settings.value("loss.softmax.s")}
    kind = settings.value("loss.softmax.margin_type")
    if kind != "cos":
        part["margin_type"] = kind
    if settings.value("loss.softmax.pr_product"):
        part["pr_product"] = True
    smoothing = _smoothing(settings)
    if settings.revision == "2020-05" and smoothing.pop("label_smoothing", 0):
        settings.drop("loss.softmax.label_smooth", "that revision ignored it in am_softmax")
    return part | smoothing


def _smoothing(settings: Settings) -> Part:
    part = {}
    if settings.value("loss.softmax.label_smooth"):
        part["label_smoothing"] = SMOOTHING
    penalty = settings.value("loss.softmax.conf_penalty")
    if penalty > 0:
        part["confidence_penalty"] = penalty
    return part


def data_sets(settings: Settings, key: str) -> list[Part]:
    """Sources or targets; the groups that the original allows are laid flat."""

    def flat(items: Any) -> list[Any]:
        return [inner for item in items for inner in (flat(item) if isinstance(item, list) else [item])]

    return [{"name": name} for name in flat(settings.value(key))]


def run_folder(settings: Settings) -> dict[str, str]:
    """`outputs/reid-0267` as the run reid-0267 in the folder outputs; nothing where the file does not say."""
    if "data.save_dir" not in settings.given:
        return {}
    path = PurePosixPath(settings.value("data.save_dir"))
    if path.name in ("", ".."):
        settings.drop("data.save_dir", "it names no folder for a run")
        return {}
    return {"runs": str(path.parent), "run": path.name}


def optimizer(settings: Settings) -> str | None:
    """The update rule; None where there is no such rule here."""
    key = "train.optim"
    name = settings.value(key)
    if name == "sam":
        settings.drop(key, "there is no sharpness-aware minimisation; train.base_optim alone stands in its place")
        key = "train.base_optim"
        name = settings.value(key)
    if name not in OPTIMIZERS:
        settings.drop(key, f"there is no update rule {name}")
        return None
    if settings.revision == "2021-07" and name in ("adam", "amsgrad"):
        settings.notes.append(f"train.optim {name}: of July 2021 on the original decays weights apart from the gradient: adamw")
        return "adamw"
    return str(name)


def schedule(settings: Settings) -> dict[str, Any]:
    """schedule, milestones and warmup_epochs; what there is no counterpart for is left out."""
    name, warmup = settings.value("train.lr_scheduler"), 0
    if name in ("warmup", "multi_step_warmup"):
        warmup = settings.value("train.warmup")
        settings.notes.append("train.warmup: here the rate rises from nearly 0, from the first epoch on")
        name = settings.value("train.base_scheduler") if name == "warmup" else "multi_step"
    found: dict[str, Any] = {"warmup_epochs": warmup} if warmup > 0 else {}
    if name in ("single_step", "multi_step"):
        return found | _steps(settings, name)
    if name in ("cosine", "cosine_cycle"):
        return found | {"schedule": "cosine"}
    settings.drop("train.lr_scheduler", f"there is no schedule {name or 'without a name'}")
    return found


def _steps(settings: Settings, name: str) -> dict[str, Any]:
    steps, epochs = settings.value("train.stepsize"), settings.value("train.max_epoch")
    if name == "single_step":
        every = steps[-1] if steps and steps[-1] > 0 else epochs
        steps = list(range(every, epochs, every)) if isinstance(every, int) else []
    return {"schedule": "multi_step", "milestones": steps} if steps else {"schedule": "constant"}


def first_stage(settings: Settings) -> dict[str, Any]:
    """fixbase_epochs and open_layers; the classifier is the loss's, and always open."""
    epochs = settings.value("train.fixbase_epoch")
    if epochs <= 0:
        return {}
    layers = [layer for layer in settings.value("train.open_layers") if layer != "classifier"]
    if not layers:
        settings.notes.append("train.open_layers: besides the classifier one layer has to be open; fc is")
    return {"fixbase_epochs": epochs, "open_layers": layers or ["fc"]}


def metric(settings: Settings) -> str | None:
    """The distance of the test; None where there is none such here."""
    name, normalized = settings.value("test.dist_metric"), settings.value("test.normalize_feature")
    if name not in ("cosine", "euclidean"):
        settings.drop("test.dist_metric", f"there is no distance {name}")
        return None
    if name == "euclidean" and normalized:
        settings.notes.append("test.normalize_feature: between normalised embeddings euclidean ranks as cosine does")
        return "cosine"
    return str(name)


def rerank(settings: Settings) -> dict[str, Any] | None:
    """Re-ranking with the original's fixed parameters."""
    return Rerank().model_dump() if settings.value("test.rerank") else None
