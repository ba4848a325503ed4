"""Every key of every revision of the original toolkit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from reidctl.config.legacy import course, images, network
from reidctl.config.legacy.fates import Fate

Revision = Literal["2020-05", "2021-02", "2021-07"]
PUBLISHED: Revision = "2021-02"
"""The revision that the published presets are written for, and a file that does not say otherwise."""

BETWEEN: dict[str, Fate] = {
    **network.MODEL,
    **network.LOSS,
    **network.OTHER_TERMS,
    **images.DATA,
    **images.TRANSFORMS,
    **images.SETS,
    **images.SAMPLER,
    **course.TRAIN,
    **course.RULES,
    **course.TEST,
    **course.TOOL,
}
"""The keys of February 2021."""

LATER: dict[str, Fate] = {**network.HEAD, **images.HEAD, **course.HEAD}
"""Keys that only the last revision has, of July 2021."""

EARLIER: dict[str, Fate] = {**network.OLD, **images.OLD, **course.OLD}
"""Keys that only the first revision has, of May 2020 and before."""

KEYS = {**BETWEEN, **LATER, **EARLIER}

ALIASES = {**network.ALIASES, **images.ALIASES}
"""Other names of keys, from revisions before and after."""

DEFAULTS: dict[Revision, dict[str, Any]] = {
    "2020-05": {"loss.softmax.label_smooth": True, "test.dist_metric": "cosine", "model.pretrained": True},
    "2021-02": {},
    "2021-07": {
        "data.transforms.color_jitter.contrast": 0.2,
        "data.transforms.color_jitter.saturation": 0.1,
        "data.transforms.color_jitter.hue": 0.1,
    },
}
"""Where a revision's default differs from that of February 2021."""


def fate(key: str) -> Fate | None:
    """What becomes of a key; None when no revision has it."""
    entry = _entry(key)
    return None if entry is None else KEYS[entry]


def revision(given: Iterable[str]) -> Revision:
    """The revision that a file with these keys was written for."""
    given = list(given)
    if any(_entry(key) in LATER or key.startswith("model.dropout_backbone.") for key in given):
        return "2021-07"
    return "2020-05" if any(_entry(key) in EARLIER or key in ALIASES for key in given) else PUBLISHED


def _entry(key: str) -> str | None:
    key = ALIASES.get(key, key)
    sections = key.split(".")
    wildcards = (".".join([*sections[:length], "*"]) for length in range(len(sections) - 1, 0, -1))
    return next((entry for entry in (key, *wildcards) if entry in KEYS), None)
