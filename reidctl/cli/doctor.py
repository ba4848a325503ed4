"""`reidctl doctor`: versions, devices, what the processor can do, and what is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from typing import Any

from reidctl.cli.options import Json
from reidctl.cli.output import output
from reidctl.plugins import OWN
from reidctl.processor import processor

PURPOSES = {
    "int8": "`export ir --weights int8`",
    "search": "`search --faiss`",
    "tensorboard": "`loggers=[tensorboard]`",
    "viz": "`--umap` of reports",
}
"""What each extra is for."""


def doctor(json: Json = False) -> None:
    """Print versions, devices, CPU features and what is missing; attach this to a report."""
    extras, cpu = _requirements(), processor()
    found: dict[str, Any] = {
        "reidctl": _version("reidctl"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "packages": {name: _version(name) for name in extras.pop("")},
        "extras": {extra: _all_versions(packages) for extra, packages in extras.items()},
        "cpu": {**cpu._asdict(), "features": list(cpu.features)},
        "torch": _torch(),
        "openvino": _openvino(),
        "plugins": _plugins(),
    }
    if json:
        output.json("reidctl.doctor/1", found)
        return
    output.table(["what", "found"], _flat(found))
    for extra, version in found["extras"].items():
        if version is None:
            output.note(f"optional, for {PURPOSES[extra]}: pip install 'reidctl[{extra}]'")


def _requirements() -> dict[str, list[str]]:
    """The packages that our metadata asks for, by extra; those that everyone needs under an empty name."""
    found: dict[str, list[str]] = {"": []}
    for line in importlib.metadata.requires("reidctl") or []:
        package, extra = re.match(r"([\w.-]+)", line), re.search(r"extra == ['\"]([\w-]+)", line)
        if package and not (extra and extra[1] == "dev"):
            found.setdefault(extra[1] if extra else "", []).append(package[1])
    return found


def _all_versions(packages: list[str]) -> str | None:
    """The version of the first, or None where one of them is missing."""
    versions = [_version(package) for package in packages]
    return None if None in versions else versions[0]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    try:
        import torch
    except Exception as error:
        return {"problem": f"does not import: {error}"}
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"threads": torch.get_num_threads(), "gpus": gpus, "cuda": torch.version.cuda or "none"}


def _openvino() -> dict[str, Any]:
    try:
        from reidctl.runtimes.engine import engine

        core = engine()
        return {
            device: {
                "name": str(core.get_property(device, "FULL_DEVICE_NAME")),
                "precisions": list(core.get_property(device, "OPTIMIZATION_CAPABILITIES")),
            }
            for device in core.available_devices
        }
    except Exception as error:
        return {"problem": f"does not work: {error}"}


def _plugins() -> dict[str, str]:
    from reidctl.registry import API_VERSION, REGISTRIES

    entries = [entry for registry in REGISTRIES for entry in registry.entries if entry.package != OWN]
    return {
        f"{entry.kind} {entry.name}": f"{entry.package} {entry.version}"
        + ("" if entry.api == API_VERSION else " (other plugin API)")
        for entry in entries
    }


def _flat(values: dict[str, Any], prefix: str = "") -> list[list[object]]:
    rows: list[list[object]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows.extend(_flat(value, f"{prefix}{key} "))
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            rows.append([f"{prefix}{key}", "not installed" if shown is None else shown if shown != "" else "none"])
    return rows
