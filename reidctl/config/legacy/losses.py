"""The losses, made from the original's main loss, metric losses and regularisers."""

from __future__ import annotations

from typing import Any

from reidctl.config.legacy.settings import Settings

Part = dict[str, Any]

SMOOTHING = 0.1
"""What the original's switch for label smoothing stands for."""


def losses(settings: Settings) -> dict[str, Any]:
    """The losses, most often one."""
    return {"losses": [*_main(settings), *_metric(settings), *_regularizers(settings)]}


def _main(settings: Settings) -> list[Part]:
    name = settings.value("loss.name")
    if name == "am_softmax":
        return [_am_softmax(settings)]
    if name == "softmax":
        settings.notes.append("loss softmax: the original multiplies the logits by loss.softmax.s; here nothing does")
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
    part |= {key: True for key in ("pr_product", "adaptive_margins") if settings.value(f"loss.softmax.{key}")}
    if settings.value("loss.softmax.class_weighting"):
        part["class_weighting"] = True
        settings.notes.append(
            "loss.softmax.class_weighting: here the weights are 1 on average; the original averages class numbers"
        )
    if settings.value("loss.softmax.symmetric_ce"):
        part["symmetric"] = 1.0
    smoothing = _smoothing(settings)
    if settings.revision == "2020-05" and smoothing.pop("label_smoothing", 0):
        settings.drop("loss.softmax.label_smooth", "that revision ignored it in am_softmax")
    return part | smoothing | _scale_schedule(settings)


def _scale_schedule(settings: Settings) -> Part:
    end, epochs, hold = (settings.value(f"loss.softmax.{key}") for key in ("end_s", "duration_s", "skip_steps_s"))
    if end > 0 and epochs > max(0, hold):
        return {"scale_schedule": {"end": end, "epochs": float(epochs), "hold": float(max(0, hold))}}
    for key in ("end_s", "duration_s", "skip_steps_s"):
        if not settings.is_unset(f"loss.softmax.{key}"):
            settings.drop(f"loss.softmax.{key}", "read only where end_s and duration_s - skip_steps_s are above 0")
    return {}


def _smoothing(settings: Settings) -> Part:
    part = {}
    if settings.value("loss.softmax.label_smooth"):
        part["label_smoothing"] = SMOOTHING
    penalty = settings.value("loss.softmax.conf_penalty")
    if penalty > 0:
        part["confidence_penalty"] = penalty
    return part


def _metric(settings: Settings) -> list[Part]:
    if not settings.value("metric_losses.enable"):
        return []
    if settings.value("loss.name") == "triplet":
        settings.drop("metric_losses.enable", "the original has them beside am_softmax and softmax only")
        return []
    keys = ("center", "triplet", "local_push")
    weights = {key: max(0.0, settings.value(f"metric_losses.{key}_coeff")) for key in keys}
    if not any(weights.values()):
        settings.drop("metric_losses.enable", "all of its coefficients are 0 or less, which switches them off")
        return []
    margins = {f"{key}_margin": settings.value(f"metric_losses.{key}_margin") for key in keys}
    balance = settings.value("metric_losses.loss_balancing")
    terms = (weights["center"] > 0) + sum(weight > 0 for weight in weights.values())
    if balance and terms > 1:
        settings.notes.append("metric_losses: with loss_balancing the original ignores its coefficients, so they are 1")
        weights = {key: float(weight > 0) for key, weight in weights.items()}
    if settings.value("metric_losses.triplet") != "semihard":
        settings.drop("metric_losses.triplet", "the loss metric takes the hardest; cosine_triplet has others, too")
    smart = settings.value("metric_losses.smart_margin")
    return [{"name": "metric", **weights, **margins, "smart_margin": smart, "balance": balance}]


def _regularizers(settings: Settings) -> list[Part]:
    found: list[Part] = []
    if settings.value("reg.ow"):
        found.append({"name": "filter_orthogonality", "weight": 10 * settings.value("reg.ow_beta")})
    if settings.value("reg.nw"):
        part = {"name": "filter_norms", "max_ratio": settings.value("reg.nw_max_ratio")}
        found.append({**part, "weight": settings.value("reg.nw_scale")})
    if settings.value("reg.hd"):
        part = {"name": "filter_correlation", "max_cosine": settings.value("reg.hd_max_score")}
        found.append({**part, "weight": settings.value("reg.hd_scale")})
        settings.notes.append("reg.hd: the original visits the channel gates alone; here they alone are left out")
    return found
