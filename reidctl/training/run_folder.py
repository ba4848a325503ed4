"""The folder of a run: its configuration, log, metrics and weights."""

from __future__ import annotations

import csv
import io
import json
import logging
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML

from reidctl.config.schema import RunConfig
from reidctl.errors import ExistsError, InputError
from reidctl.files import only_writer, remove_unfinished, replacing, write_text
from reidctl.processor import processor

logger = logging.getLogger(__name__)

PACKAGES = ("reidctl", "torch", "torchvision", "timm", "numpy", "pillow", "safetensors")
LATEST = "latest"
LOG_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RunFolder:
    """The files of one run, each there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = path / "weights" / "best.safetensors"
        self.last = path / "weights" / "last.safetensors"
        self.state = path / "weights" / "last.pt"
        self.config = path / "config.yaml"
        self.environment = path / "env.json"
        self.metrics = path / "metrics.jsonl"
        self.table = path / "metrics.csv"
        self.curves = path / "curves.png"
        self.log = path / "train.log"

    def claimed(self) -> AbstractContextManager[None]:
        """Keep the runs of other processes out while the block goes on; ExistsError where there is one."""
        return only_writer(self.path, "give this run another folder with --run NAME")

    def require_free(self) -> None:
        """Raise ExistsError when an earlier run's weights are here."""
        if self.best.exists() or self.last.exists() or self.state.exists():
            raise ExistsError(
                f"{self.path}: holds the weights of an earlier run",
                "--run NAME for another folder, --resume to go on with that run, --exist-ok to replace it",
            )

    def has_state(self) -> bool:
        """Whether a run here can go on; False where it was stopped before its first save, so that it begins anew.

        InputError where there is no run, or only weights, which training cannot go on from.
        """
        if self.state.is_file():
            return True
        has_weights = self.best.exists() or self.last.exists()
        if has_weights or not self.config.is_file():
            there = "has no weights/last.pt to go on from" if has_weights else "no such run"
            raise InputError(f"{self.path}: {there}", "give the folder of a run that was stopped")
        return False

    def clear(self) -> None:
        """Remove the results of an earlier run; files that no run writes stay."""
        beside = (self.best.parent.glob(beside_peer(weights, "*").name) for weights in (self.best, self.last))
        own = (self.best, self.last, self.state, self.metrics, self.table, self.curves, self.log)
        for file in (*own, *chain.from_iterable(beside)):
            file.unlink(missing_ok=True)

    @contextmanager
    def opened(self, config: RunConfig, device: torch.device) -> Iterator[None]:
        """Write what is known at the start, point `latest` here, and keep the library's log while the block runs."""
        for folder in (self.path, self.state.parent):
            remove_unfinished(folder)
        with replacing(self.config) as temporary:
            YAML().dump(config.model_dump(mode="json"), temporary)
        write_text(self.environment, json.dumps(environment(device), indent=2) + "\n")
        self._point_latest()
        with logged(self.log):
            yield

    def append(self, row: dict[str, Any]) -> None:
        """Add the row of a finished epoch."""
        self._write([*self.rows(), row])

    def rows(self, up_to: int | None = None) -> list[dict[str, Any]]:
        """The rows of all finished epochs, or of those up to a number."""
        if not self.metrics.exists():
            return []
        found = [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]
        return [row for row in found if up_to is None or row["epoch"] <= up_to]

    def forget_after(self, epoch: int) -> None:
        """Drop rows that were written after the state that a run goes on from."""
        self._write(self.rows(up_to=epoch))

    def _write(self, rows: list[dict[str, Any]]) -> None:
        write_text(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))
        columns = list(dict.fromkeys(column for row in rows for column in row))
        table = io.StringIO()
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.table, table.getvalue())

    def _point_latest(self) -> None:
        link = self.path.parent / LATEST
        if link.exists() and not link.is_symlink():
            return
        try:
            with replacing(link) as temporary:
                temporary.symlink_to(self.path.name, target_is_directory=True)
        except OSError as error:
            logger.warning("%s: no link to this run: %s", link, error.strerror)


def beside_peer(weights: Path, number: int | str) -> Path:
    """Where a peer's weights are kept, beside those of the network that it learns with; peers count from 1."""
    return weights.with_stem(f"{weights.stem}-peer-{number}")


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Append the log of the library to a file, from INFO up, while the block runs."""
    library = logging.getLogger("reidctl")
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_LINE))
    handler.setLevel(logging.INFO)
    level = library.level
    library.addHandler(handler)
    library.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.setLevel(level)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log that is silent on a full disk: what is saved there next says it better."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def environment(device: torch.device) -> dict[str, Any]:
    """Versions and hardware that the numbers of a run belong to."""
    here = processor()
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "processor": here.name,
        "cores": here.cores,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
