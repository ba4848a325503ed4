"""Runs and evaluations read back from their files, to be set side by side; nothing here needs torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidctl.config.keys import flattened
from reidctl.errors import InputError
from reidctl.report.folder import METRICS

FIGURE = re.compile(r"(mAP|mINP|rank\d+)$")
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
OWN_KEYS = ("run", "runs")
"""Where a run lies; always another place, never a reason."""


@dataclass(frozen=True)
class Entry:
    """One result: what is known of it in words and numbers (facts), its figures by `data set.metric`, fractions of 1,
    and its configuration flattened to dotted keys, empty for an evaluation."""

    path: Path
    kind: str
    facts: dict[str, Any]
    metrics: dict[str, float]
    config: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"path": str(self.path), "kind": self.kind, "facts": self.facts, "metrics": self.metrics}


def read_entry(path: Path) -> Entry:
    """A run folder, the folder of a report, or a file of `eval --json`; InputError for anything else."""
    if path.is_dir():
        if (path / "config.yaml").is_file():
            return _run(path)
        if (path / METRICS).is_file():
            return _evaluation(path, path / METRICS)
        raise InputError(
            f"{path}: neither a run nor a report", f"a run holds config.yaml, a folder of `eval --report` {METRICS}"
        )
    if not path.exists():
        raise InputError(f"{path}: no such run, report or file", "give a run folder, or a file of `eval --json`")
    return _evaluation(path, path)


def differences(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """The keys whose values differ among the configurations, each with a value per entry (None where it has none)."""
    configs = [entry.config for entry in entries]
    if sum(1 for config in configs if config) < 2:
        return {}
    found = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [config.get(key) for config in configs]
        known = [value for value, config in zip(values, configs, strict=True) if config]
        if key not in OWN_KEYS and any(value != known[0] for value in known):
            found[key] = values
    return found


def _run(path: Path) -> Entry:
    config = _yaml(path / "config.yaml")
    rows = _rows(path / "metrics.jsonl")
    tested = [row for row in rows if any(FIGURE.search(key) for key in row)]
    flat = flattened(config)
    score = str(flat.get("train.best_metric", "mAP")).replace("-", "")
    best = max(tested, key=lambda row: _mean(row, score), default={})
    last = tested[-1] if tested else {}
    environment = _json(path / "env.json") if (path / "env.json").is_file() else {}
    facts = {
        "kind": "run",
        "model": flat.get("model.name"),
        "preset": flat.get("preset"),
        "parameters": _parameters(path / "weights" / "best.safetensors"),
        "epochs": f"{rows[-1]['epoch'] if rows else 0} of {flat.get('train.epochs')}",
        "best epoch": best.get("epoch"),
        "loss": rows[-1].get("loss") if rows else None,
        "hours": sum(row.get("seconds", 0.0) for row in rows) / 3600,
        "device": environment.get("device"),
    }
    metrics = _figures(best)
    if last is not best:
        metrics |= {f"{name}, last epoch": value for name, value in _figures(last).items()}
    return Entry(path, "run", facts, metrics, flat)


def _evaluation(path: Path, file: Path) -> Entry:
    found = _json(file)
    targets = found.get("targets")
    if not str(found.get("schema", "")).startswith("reidctl.eval/") or not isinstance(targets, dict):
        raise InputError(f"{file}: not what `eval --json` prints", "save that: reidctl eval … --json > result.json")
    measured: dict[str, Any] = next(iter(targets.values()), {})
    facts = {
        "kind": "evaluation",
        "model": found.get("model"),
        "distance": measured.get("metric"),
        "AP rule": measured.get("ap_rule"),
        "re-ranked": measured.get("reranked"),
    }
    metrics = {f"{name}.{key}": value for name, held in targets.items() for key, value in _figures(held).items()}
    return Entry(path, "evaluation", facts, metrics)


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if FIGURE.search(key) and isinstance(value, int | float)}


def _mean(row: Mapping[str, Any], score: str) -> float:
    values = [value for key, value in row.items() if key.endswith(f".{score}")]
    return math.fsum(values) / len(values) if values else -math.inf


def _parameters(file: Path) -> int | None:
    """Numbers in the weights, the statistics of norms left out; None where there are no weights yet."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="numpy") as held:
            shapes = [held.get_slice(name).get_shape() for name in held.keys() if not name.endswith(STATISTICS)]  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{file}: damaged: {error}", "leave this run out") from error
    return sum(int(math.prod(shape)) for shape in shapes)


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise InputError(f"{file}: damaged: {error}", "leave this run out") from error


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file}: not JSON: {error}", "give a run folder, or a file of `eval --json`") from error
    return found if isinstance(found, dict) else {}


def _yaml(file: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(file)
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}", "leave this run out") from error
    if not isinstance(found, dict):
        raise InputError(f"{file}: not the configuration of a run", "leave this run out")
    return found
