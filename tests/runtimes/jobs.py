"""What tests ask a child process to do."""

import logging
import os
import sys
import time
from typing import Any

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


def leave() -> None:
    os._exit(7)


def hang() -> None:
    time.sleep(60)


def warn(message: str) -> str:
    logging.getLogger("reidctl.somewhere").warning("%s", message)
    return message


def process() -> int:
    return os.getpid()
