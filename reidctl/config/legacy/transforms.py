"""The original's switches and probabilities as a list of augmentations, in the original's order."""

from __future__ import annotations

from typing import Any

from reidctl.config.legacy.settings import Settings

Part = dict[str, Any]

PREFIX = "data.transforms"
FIGURES = {"line", "rectangle", "circle"}
RANDOM_COLOR = [-1, -1, -1]


def transforms(settings: Settings) -> dict[str, Any]:
    """What the file has switched on, around the resizing."""
    before: list[Part] = []
    after: list[Part] = []
    for name, part in (("random_grid", _grid(settings)), ("random_figures", _figures(settings))):
        if part:
            (before if settings.value(f"{PREFIX}.{name}.before_resize") else after).append(part)
    moving = [_padding, _crop] if settings.revision == "2021-07" else [_crop, _padding]
    before += [part for build in moving if (part := build(settings))]
    after += [part for build in (_flip, _jitter, _gray, _rotate, _erase) if (part := build(settings))]
    return {"data.transforms": [*before, {"name": "resize"}, *after]}


def _part(settings: Settings, name: str, ours: str, **same: str) -> Part | None:
    """The augmentation where it is switched on; of the parameters in `same`, theirs to ours, what the file gives."""
    if not settings.value(f"{PREFIX}.{name}.enable"):
        return None
    part = {"name": ours, "p": settings.value(f"{PREFIX}.{name}.p")}
    for theirs, key in same.items():
        value = settings.value(f"{PREFIX}.{name}.{theirs}")
        if f"{PREFIX}.{name}.{theirs}" in settings.given:
            part[key] = value
    return part


def _grid(settings: Settings) -> Part | None:
    part = _part(settings, "random_grid", "random_grid", grid_size="step", angle="angle")
    if part is None:
        return None
    color = settings.value(f"{PREFIX}.random_grid.color")
    thinnest, thickest = settings.value(f"{PREFIX}.random_grid.thickness")
    if color != RANDOM_COLOR:
        part["fill"] = color
    if thinnest != thickest:
        settings.drop(f"{PREFIX}.random_grid.thickness", "lines have one thickness")
    elif thickest != 1:
        # The original's lines come out one pixel wider than they are drawn, because it rotates what it drew.
        part["thickness"] = thickest + 1
    return part


def _figures(settings: Settings) -> Part | None:
    part = _part(
        settings,
        "random_figures",
        "random_figures",
        random_color="random_color",
        always_single_figure="single",
        figure_prob="figure_p",
        thicknesses="thickness",
        circle_radiuses="radius",
    )
    if part and set(map(str, settings.value(f"{PREFIX}.random_figures.figures"))) != FIGURES:
        settings.drop(f"{PREFIX}.random_figures.figures", "line, rectangle and circle are drawn alike")
    return part


def _crop(settings: Settings) -> Part | None:
    part = _part(settings, "random_crop", "random_crop", scale="scale")
    return {**part, "align": True} if part else None


def _padding(settings: Settings) -> Part | None:
    part = _part(settings, "random_padding", "random_padding")
    if part is None:
        return None
    smallest, largest = settings.value(f"{PREFIX}.random_padding.padding")
    if smallest != 0:
        settings.drop(f"{PREFIX}.random_padding.padding", "a side grows by 0 pixels or more")
    elif f"{PREFIX}.random_padding.padding" in settings.given:
        part["largest"] = largest
    return part


def _flip(settings: Settings) -> Part | None:
    return _part(settings, "random_flip", "random_flip")


def _jitter(settings: Settings) -> Part | None:
    part = _part(settings, "color_jitter", "color_jitter")
    strengths = ("brightness", "contrast", "saturation", "hue")
    return part and part | {key: settings.value(f"{PREFIX}.color_jitter.{key}") for key in strengths}


def _gray(settings: Settings) -> Part | None:
    return _part(settings, "random_gray_scale", "random_gray")


def _rotate(settings: Settings) -> Part | None:
    part = _part(settings, "random_rotate", "random_rotate")
    if part is None:
        return None
    least, most = settings.value(f"{PREFIX}.random_rotate.angle")
    if least != -most:
        settings.drop(f"{PREFIX}.random_rotate.angle", "turns go as far to one side as to the other")
    elif f"{PREFIX}.random_rotate.angle" in settings.given:
        part["angle"] = most
    if any(settings.value(f"{PREFIX}.random_rotate.values")):
        settings.drop(f"{PREFIX}.random_rotate.values", "turns are drawn between bounds, not from a list")
    return part


def _erase(settings: Settings) -> Part | None:
    part = _part(settings, "random_erase", "random_erase")
    if part is None:
        return None
    theirs = {
        key: settings.value(f"{PREFIX}.random_erase.{key}") for key in ("sl", "sh", "rl", "rh", "fill_color", "r1")
    }
    if settings.value(f"{PREFIX}.random_erase.norm_image"):
        settings.notes.append(f"{PREFIX}.random_erase: in the original it never changed an image; here it erases")
    given = {key for key in theirs if f"{PREFIX}.random_erase.{key}" in settings.given}
    if given & {"sl", "sh"}:
        part["area"] = [theirs["sl"], theirs["sh"]]
    if given & {"rl", "rh"}:
        part["aspect"] = [theirs["rl"], theirs["rh"]]
    elif "r1" in given and theirs["r1"] > 0:
        part["aspect"] = [theirs["r1"], 1 / theirs["r1"]]
    if "fill_color" in given:
        part["fill"] = [round(level) for level in theirs["fill_color"]]
    return part
