"""The packages of this project that add parts, each installed by itself, and the names of their parts."""

from __future__ import annotations

from reidctl.errors import MissingPackage

OFFERED: dict[str, dict[str, tuple[str, ...]]] = {
    "reidctl-datasets": {
        "datasets": (
            *("cuhk01", "cuhk02", "cuhk03", "grid", "ilids", "prid", "sensereid", "vehicleid", "veri-776", "viper"),
        )
    },
    "reidctl-lancedb": {"indexes": ("lancedb",)},
    "reidctl-metric-learning": {"losses": ("pml/*",)},
    "reidctl-osnet-ain": {
        "models": ("osnet_ain_x1_0", "osnet_ain2_x1_0"),
        "presets": ("osnet-ain", "osnet-ain2"),
    },
    "reidctl-ray": {"commands": ("ray",)},
}
"""Package -> kind of part, in the plural -> names; of a family as it is declared."""


def require_no_package_of_ours(plural: str, name: str) -> None:
    """MissingPackage where `name`, which nobody installed offers, is in one of these packages."""
    package, _, short = name.rpartition(":")
    family = f"{short.partition('/')[0]}/*"
    for offering, kinds in OFFERED.items():
        names = kinds.get(plural, ())
        if package in ("", offering) and (short in names or ("/" in short and family in names)):
            raise MissingPackage(
                f"'{short}' is in the package {offering}, which is not installed", f"pip install {offering}"
            )
