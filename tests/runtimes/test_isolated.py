import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reidctl.errors import ConfigError, InputError
from reidctl.runtimes import isolated, open_embedder
from reidctl.runtimes.child import Crashed
from reidctl.runtimes.isolated import IsolatedRuntime
from reidctl.types import Spec
from tests.runtimes.artefacts import colour_onnx, mean_colours, pictures

CRASHING = """
import os, sys
from reidctl.types import ArtefactInfo, ImageSpec
class Runtime:
    suffixes = (".crash",)
    def __init__(self, *, path, device, precision):
        self.info = ArtefactInfo(model="crash", image=ImageSpec(height=32, width=16), embedding_dim=4)
        print("chatter on stdout")
        os.write(1, b"and from the engine\\n")
    def embed_batch(self, images):
        if len(images) == 1:
            raise ZeroDivisionError("by zero")
        os.write(2, b"the engine says why\\n")
        os.kill(os.getpid(), 11)
    def double(self, number):
        return 2 * number
"""
METADATA = "Metadata-Version: 2.1\nName: crash\nVersion: 1.0\n"
ENTRIES = "[reidctl.api]\nversion = v1\n[reidctl.runtimes]\ncrash = crashing_runtime:Runtime\n"


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose runtime crashes, and a file that it opens."""
    (tmp_path / "crashing_runtime.py").write_text(CRASHING)
    info = tmp_path / "crash-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "net.crash"
    path.touch()
    return path


def isolated_crash(path: Path) -> IsolatedRuntime:
    return IsolatedRuntime(Spec(name="crash"), path=path, device="cpu", precision=None)


def test_it_answers_as_the_runtime_itself_does(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = colour_onnx(tmp_path / "isolated.onnx")
    opened = open_embedder(path, isolated=True)
    images = pictures(9)
    np.testing.assert_array_equal(opened.embed_batch(images), open_embedder(path).embed_batch(images))
    np.testing.assert_allclose(opened.embed_batch(images), mean_colours(images), rtol=1e-4, atol=1e-4)
    assert opened.info == open_embedder(path).info
    assert not opened.stated
    assert caplog.text.count("isolated.onnx says nothing of its input") == 2  # the child's, and this process's own


def test_errors_of_ours_arrive_as_they_are(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"no device 'NPU\.7'") as caught:
        open_embedder(path, device="NPU.7", isolated=True)
    assert caught.value.hint
    assert not isinstance(caught.value, Crashed)
    with pytest.raises(ConfigError, match="hint"):
        open_embedder(path, runtime=Spec(name="openvino", hint="fastest"), isolated=True)
    (tmp_path / "noise.onnx").write_bytes(b"\x08\x99" * 300)
    with pytest.raises(InputError, match="no intact ONNX file"):
        open_embedder(tmp_path / "noise.onnx", isolated=True)


def test_a_crash_is_one_error_and_what_is_printed_no_answer(crashing: Path) -> None:
    runtime = isolated_crash(crashing)
    assert runtime.double(21) == 42
    with pytest.raises(Crashed, match="ZeroDivisionError: by zero"):
        runtime.embed_batch(pictures(1))
    assert runtime.double(4) == 8
    with pytest.raises(Crashed, match=r"net\.crash: the process died of SIGSEGV: the engine says why"):
        runtime.embed_batch(pictures(2))
    with pytest.raises(Crashed, match="SIGSEGV"):
        runtime.double(1)


def test_only_what_the_runtime_has_can_be_called(crashing: Path) -> None:
    runtime = isolated_crash(crashing)
    assert hasattr(runtime, "double")
    assert not hasattr(runtime, "feature_maps")


def test_its_process_ends_with_it(crashing: Path) -> None:
    runtime = isolated_crash(crashing)
    child = runtime._child
    del runtime
    gc.collect()
    assert child.wait(timeout=20) == 0


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_its_process_ends_with_a_parent_that_is_killed(crashing: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom reidctl.runtimes.isolated import IsolatedRuntime\n"
        "from reidctl.types import Spec\n"
        "runtime = IsolatedRuntime(Spec(name='crash'), path=Path(sys.argv[1]), device='cpu', precision=None)\n"
        "print(runtime._child.pid, flush=True)\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(crashing.parent), *filter(None, sys.path)])}
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(crashing)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]


def test_the_facts_that_a_stand_in_repeats_exist_on_a_runtime(tmp_path: Path) -> None:
    runtime = IsolatedRuntime(
        Spec(name="openvino"), path=colour_onnx(tmp_path / "net.onnx"), device="cpu", precision="f32"
    )
    assert (runtime.device, runtime.precision, runtime.stated) == ("CPU", "f32", False)
    assert set(isolated.FACTS) >= {"info", "config", "stated"}
