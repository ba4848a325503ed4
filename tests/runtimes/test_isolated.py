import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from reidctl.errors import ConfigError, InputError
from reidctl.runtimes import isolated, open_embedder, ring
from reidctl.runtimes.child import Crashed
from reidctl.runtimes.isolated import IsolatedRuntime
from reidctl.runtimes.ring import SHARED
from reidctl.types import Spec
from tests.runtimes.artefacts import colour_onnx, mean_colours, pictures
from tests.runtimes.orphans import survives_its_parent

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
    def hang(self):
        import time
        time.sleep(600)
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
        "runtime = IsolatedRuntime(Spec(name='crash'), path=Path(sys.argv[2]), device='cpu', precision=None)\n"
        "Path(sys.argv[1]).write_text(f'{runtime._child.pid}\\n')\ntime.sleep(60)\n"
    )
    assert not survives_its_parent(program, crashing.with_name("number"), crashing)


@pytest.mark.parametrize("call", [lambda runtime: runtime.double(21), lambda runtime: stream_of(runtime)])
def test_after_an_interrupt_no_answer_is_taken_for_that_of_another_question(
    crashing: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[IsolatedRuntime], object]
) -> None:
    runtime = isolated_crash(crashing)

    def interrupted(pipe: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(isolated.pickle, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            call(runtime)
    with pytest.raises(Crashed, match=r"net\.crash: it was interrupted") as caught:
        runtime.double(4)
    assert caught.value.hint == "open it again"


def stream_of(runtime: IsolatedRuntime) -> None:
    runtime.embed_stream(iter([pictures(2)] * 3), lambda index, vectors: None)


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent to one process on POSIX alone")
def test_an_engine_that_hangs_is_stopped_by_one_interrupt(crashing: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom reidctl.runtimes.isolated import IsolatedRuntime\n"
        "from reidctl.types import Spec\n"
        "runtime = IsolatedRuntime(Spec(name='crash'), path=Path(sys.argv[1]), device='cpu', precision=None)\n"
        "print('open', flush=True)\nruntime.hang()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(crashing.parent), *filter(None, sys.path)])}
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(crashing)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert parent.stdout
    assert parent.stdout.readline() == "open\n"
    time.sleep(0.5)
    parent.send_signal(signal.SIGINT)
    try:
        _, said = parent.communicate(timeout=30)
    finally:
        parent.kill()
    assert said.splitlines()[-1] == "KeyboardInterrupt"


def test_the_facts_that_a_stand_in_repeats_exist_on_a_runtime(tmp_path: Path) -> None:
    runtime = IsolatedRuntime(
        Spec(name="openvino"), path=colour_onnx(tmp_path / "net.onnx"), device="cpu", precision="f32"
    )
    assert (runtime.device, runtime.precision, runtime.stated) == ("CPU", "f32", False)
    assert set(isolated.FACTS) >= {"info", "config", "stated"}


def test_a_stream_gives_what_the_runtime_gives(tmp_path: Path) -> None:
    opened = open_embedder(colour_onnx(tmp_path / "net.onnx"), isolated=True)
    images, found = pictures(203), {}
    batches = [images[start : start + 8] for start in range(0, 203, 8)]
    for _ in range(2):
        opened.embed_stream(iter(batches), lambda index, vectors: found.__setitem__(index, vectors.copy()))
        embedded = np.concatenate([found[index] for index in range(len(batches))])
        np.testing.assert_allclose(embedded, mean_colours(images), rtol=1e-4, atol=1e-4)
        found.clear()
    opened.embed_stream(iter(()), lambda index, vectors: pytest.fail("nothing was asked"))
    np.testing.assert_allclose(opened.embed_batch(images[:3]), mean_colours(images[:3]), rtol=1e-4, atol=1e-4)


def test_more_batches_are_under_way_than_the_engine_takes_and_no_more_than_fit(tmp_path: Path) -> None:
    runtime = open_embedder(colour_onnx(tmp_path / "net.onnx"), isolated=True).runtime
    images, drawn, done, most = pictures(8), [0], [0], [0]

    def batches() -> Iterator[np.ndarray]:
        for _ in range(60):
            drawn[0] += 1
            most[0] = max(most[0], drawn[0] - done[0])
            yield images

    runtime.embed_stream(batches(), lambda index, vectors: done.__setitem__(0, done[0] + 1))
    assert done == [60]
    assert runtime.requests < most[0] <= 2 * runtime.requests + 3


def test_what_goes_wrong_ends_a_stream_and_not_the_runtime(tmp_path: Path) -> None:
    opened = open_embedder(colour_onnx(tmp_path / "net.onnx"), isolated=True)
    images = pictures(8)

    def breaking() -> Iterator[np.ndarray]:
        yield images
        raise OSError("no more")

    def refuse(index: int, vectors: np.ndarray) -> None:
        raise KeyError(index)

    with pytest.raises(OSError, match="no more"):
        opened.embed_stream(breaking(), lambda index, vectors: None)
    with pytest.raises(KeyError):
        opened.embed_stream(iter([images] * 50), refuse)
    with pytest.raises(InputError, match="a batch of 9 images after a first one of 8"):
        opened.embed_stream(iter([images, pictures(9)]), lambda index, vectors: None)
    with pytest.raises(InputError, match=r"takes pictures uint8 \(8, 32, 16, 3\), not uint8 \(8, 16, 32, 3\)"):
        opened.embed_stream(iter([images[..., :16, :, :].repeat(2, axis=2)] * 50), lambda index, vectors: None)
    np.testing.assert_allclose(opened.embed_batch(images), mean_colours(images), rtol=1e-4, atol=1e-4)


def test_a_crash_in_a_stream_is_one_error_and_leaves_no_shared_memory(crashing: Path) -> None:
    runtime = isolated_crash(crashing)
    before = set(SHARED.glob("reidctl-*")) if SHARED.is_dir() else set()
    with pytest.raises(Crashed, match=r"net\.crash: the process died of SIGSEGV"):
        runtime.embed_stream(iter([pictures(2)] * 50), lambda index, vectors: None)
    assert (set(SHARED.glob("reidctl-*")) if SHARED.is_dir() else set()) <= before


def test_memory_for_a_stream_is_found_elsewhere_where_the_system_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "SHARED", tmp_path / "missing")
    monkeypatch.setattr(ring.tempfile, "gettempdir", lambda: str(tmp_path))
    shape = ring.Shape(slots=2, batch=3, height=5, width=7, dim=11)
    path = ring.reserve(shape)
    assert path.parent == tmp_path
    one, other = ring.attach(path, shape), ring.attach(path, shape)
    one.images[1, 2], one.vectors[1, 2] = 9, 0.5
    assert (other.images.shape, other.vectors.shape) == ((2, 3, 5, 7, 3), (2, 3, 11))
    assert (other.images.sum(), other.vectors.sum()) == (9 * 5 * 7 * 3, 0.5 * 11)
