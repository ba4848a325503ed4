"""What tests ask a child process to do."""

import errno
import importlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from reidctl.errors import MissingExtra


def double(value: Any) -> Any:
    sys.stdout.write("chatter that is no answer")
    return value * 2


def fail() -> None:
    raise MissingExtra("nothing installed", "pip install 'reidctl[all]'")


def stumble() -> None:
    raise ZeroDivisionError("by zero")


def crash() -> None:
    sys.stderr.write("the engine says why\n")
    sys.stderr.flush()
    os.abort()


def crash_on_files(*_paths: Path) -> None:
    os.abort()


def stumble_on_files(*_paths: Path) -> None:
    raise ValueError("no simplification today")


def break_off(plain: Path, simple: Path) -> None:
    simple.write_bytes(plain.read_bytes()[:20])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def leave() -> None:
    os._exit(7)


def hang() -> None:
    time.sleep(60)


def linger(number: Path) -> None:
    number.write_text(f"{os.getpid()}\n")
    time.sleep(60)


def read_stdin() -> str:
    return sys.stdin.read()


def home_of(module: str) -> str | None:
    return importlib.import_module(module).__file__


def warn(message: str) -> str:
    logging.getLogger("reidctl.somewhere").warning("%s", message)
    return message


def process() -> int:
    return os.getpid()


def engines_after_listing() -> set[str]:
    from reidctl.registry import runtimes

    for name in runtimes.names():
        runtimes.load(name)
    return {"torch", "openvino"} & sys.modules.keys()


def engines_after_embedding(path: Path) -> set[str]:
    from reidctl.runtimes import open_embedder

    open_embedder(path).embed([np.zeros((32, 16, 3), np.uint8)])
    return {"torch", "openvino"} & sys.modules.keys()
