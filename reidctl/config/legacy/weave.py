"""Values of ours that are made from several of the original's."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from reidctl.config.evaluation import Rerank
from reidctl.config.legacy.settings import Settings

Part = dict[str, Any]

OPTIMIZERS = ("adam", "amsgrad", "sgd", "rmsprop", "radam")


def weights(settings: Settings) -> dict[str, Any]:
    """The file that training starts from."""
    return {"weights": settings.value("model.load_weights") or None}


def model(settings: Settings) -> dict[str, Any]:
    """The network; only the OSNets of re-identification have parameters."""
    return {"model": _network(settings)}


def _network(settings: Settings) -> Part:
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


def data_sets(settings: Settings) -> dict[str, Any]:
    """Sources and targets; the groups that the original allows are laid flat."""
    sources, targets = _named(settings.value("data.sources")), _named(settings.value("data.targets"))
    for part in sources:
        if part["name"] == "msmt17" and settings.value("data.combineall"):
            # Combining everything takes the validation list in, too, and is the only thing that does.
            part["with_validation"] = True
    for part in targets:
        if part["name"] == "market1501" and settings.value("market1501.use_500k_distractors"):
            part["distractors_500k"] = True
    return {"data.sources": sources, "data.targets": targets}


def _named(items: list[Any]) -> list[Part]:
    return [part for item in items for part in (_named(item) if isinstance(item, list) else [{"name": item}])]


def run_folder(settings: Settings) -> dict[str, str]:
    """`outputs/reid-0267` as the run reid-0267 in the folder outputs; nothing where the file does not say."""
    if "data.save_dir" not in settings.given:
        return {}
    path = PurePosixPath(settings.value("data.save_dir"))
    if path.name in ("", ".."):
        settings.drop("data.save_dir", "it names no folder for a run")
        return {}
    return {"runs": str(path.parent), "run": path.name}


def optimizer(settings: Settings) -> dict[str, Any]:
    """The update rule, and sam_rho; of the rule nothing where there is none such here."""
    key, found = "train.optim", {}
    name = settings.value(key)
    if name == "sam":
        found["train.sam_rho"] = settings.value("sam.rho") or None
        key = "train.base_optim"
        name = settings.value(key)
    if name not in OPTIMIZERS:
        settings.drop(key, f"there is no update rule {name}")
        return found
    if settings.revision == "2021-07" and name in ("adam", "amsgrad"):
        settings.notes.append(
            f"{key} {name}: the original of July 2021 decays weights apart from the gradient, as adamw"
        )
        name = "adamw"
    return {**found, "train.optimizer": name}


def staged_rates(settings: Settings) -> dict[str, Any]:
    """base_lr_mult and new_layers; the classifier is the loss's, and always learns at the full rate."""
    if not settings.value("train.staged_lr"):
        return {}
    factor = settings.value("train.base_lr_mult")
    layers = [layer for layer in settings.value("train.new_layers") if layer != "classifier"]
    if not 0 < factor < 1:
        settings.drop("train.base_lr_mult", "here the other layers learn more slowly, or as the new ones do")
        return {}
    return {"train.base_lr_mult": factor, "train.new_layers": layers}


def average(settings: Settings) -> dict[str, Any]:
    """The moving average of the weights."""
    if not settings.value("train.ema.enable"):
        return {}
    return {"train.ema_decay": settings.value("train.ema.ema_decay")}


def betas(settings: Settings) -> dict[str, Any]:
    """The decay of adam's moments."""
    return {"train.betas": [settings.value("adam.beta1"), settings.value("adam.beta2")]}


def schedule(settings: Settings) -> dict[str, Any]:
    """schedule, milestones and warmup_epochs; what there is no counterpart for is left out."""
    name, found = settings.value("train.lr_scheduler"), {}
    if name in ("warmup", "multi_step_warmup"):
        found["train.warmup_epochs"] = max(0, settings.value("train.warmup"))
        settings.notes.append("train.warmup: here the rate rises from nearly 0, from the first epoch on")
        name = settings.value("train.base_scheduler") if name == "warmup" else "multi_step"
    if name in ("single_step", "multi_step"):
        return found | _steps(settings, name)
    if name in ("cosine", "cosine_cycle"):
        return found | {"train.schedule": "cosine"}
    if name == "reduce_on_plateau":
        settings.notes.append("train.lr_scheduler: here plateau watches train.best_metric, at every test")
        return found | {"train.schedule": "plateau"}
    settings.drop("train.lr_scheduler", f"there is no schedule {name or 'without a name'}")
    return found


def _steps(settings: Settings, name: str) -> dict[str, Any]:
    steps, epochs = settings.value("train.stepsize"), settings.value("train.max_epoch")
    if name == "single_step":
        every = steps[-1] if steps and isinstance(steps[-1], int) and steps[-1] > 0 else epochs
        steps = list(range(every, epochs, every)) if epochs > 0 else []
    return {"train.schedule": "multi_step", "train.milestones": steps} if steps else {"train.schedule": "constant"}


def first_stage(settings: Settings) -> dict[str, Any]:
    """fixbase_epochs and open_layers; the classifier is the loss's, and always open."""
    epochs = max(0, settings.value("train.fixbase_epoch"))
    if epochs == 0:
        return {"train.fixbase_epochs": 0}
    layers = [layer for layer in settings.value("train.open_layers") if layer != "classifier"]
    if not layers:
        settings.notes.append("train.open_layers: besides the classifier one layer has to be open; fc is")
    return {"train.fixbase_epochs": epochs, "train.open_layers": layers or ["fc"]}


def metric(settings: Settings) -> dict[str, Any]:
    """The distance of the test; nothing where there is none such here."""
    name, normalized = settings.value("test.dist_metric"), settings.value("test.normalize_feature")
    if name not in ("cosine", "euclidean"):
        settings.drop("test.dist_metric", f"there is no distance {name}")
        return {}
    if name == "euclidean" and normalized:
        settings.notes.append("test.normalize_feature: between normalised embeddings euclidean ranks as cosine does")
        name = "cosine"
    return {"eval.metric": name}


def rerank(settings: Settings) -> dict[str, Any]:
    """Re-ranking with the original's fixed parameters."""
    return {"eval.rerank": Rerank().model_dump() if settings.value("test.rerank") else None}
