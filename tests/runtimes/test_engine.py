"""Signals after OpenVINO has computed: see `reidctl.runtimes.engine`."""

import subprocess
import sys
from pathlib import Path

from tests.runtimes.artefacts import colour_onnx

PROGRAM = """
import os, signal, sys
from reidctl.runtimes import open_embedder

heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
first = open_embedder(sys.argv[1])
second = open_embedder(sys.argv[1])
del first, second
os.kill(os.getpid(), signal.SIGUSR1)
print(len(heard))
"""


def test_a_signal_is_heard_after_two_networks_were_closed(tmp_path: Path) -> None:
    network = colour_onnx(tmp_path / "colour.onnx")
    ended = subprocess.run([sys.executable, "-c", PROGRAM, network], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "1\n"
