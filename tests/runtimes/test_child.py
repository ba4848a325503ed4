import colorsys
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reidctl.errors import MissingExtra
from reidctl.runtimes.child import Crashed, run_in_child
from tests.runtimes import jobs
from tests.runtimes.orphans import survives_its_parent


def test_a_function_is_computed_in_another_process() -> None:
    assert run_in_child(jobs.process, timeout_s=60) != os.getpid()


def test_results_come_back_whatever_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_in_child(jobs.double, np.arange(100_000), timeout_s=60).sum() == 99_999 * 100_000
    assert capfd.readouterr() == ("", "")


def test_errors_of_ours_come_back_as_they_are() -> None:
    with pytest.raises(MissingExtra, match="nothing installed") as caught:
        run_in_child(jobs.fail, timeout_s=60)
    assert caught.value.hint == "pip install 'reidctl[all]'"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (jobs.stumble, "ZeroDivisionError: by zero"),
        (jobs.crash, "died of SIGABRT: the engine says why"),
        (jobs.leave, "ended with code 7"),
    ],
)
def test_other_ends_are_a_crash(job: object, message: str) -> None:
    with pytest.raises(Crashed, match=message):
        run_in_child(job, timeout_s=60)  # type: ignore[arg-type]


def test_what_hangs_is_stopped() -> None:
    started = time.perf_counter()
    with pytest.raises(Crashed, match="no answer after 1 s"):
        run_in_child(jobs.hang, timeout_s=1)
    assert time.perf_counter() - started < 20


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_its_process_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom reidctl.runtimes.child import run_in_child\n"
        "from tests.runtimes import jobs\nrun_in_child(jobs.linger, Path(sys.argv[1]), timeout_s=60)\n"
    )
    assert not survives_its_parent(program, tmp_path / "number")


def test_what_waits_for_input_gets_none() -> None:
    assert run_in_child(jobs.read_stdin, timeout_s=60) == ""


def test_it_imports_from_where_this_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the current folder is no module, unless it is one here, too."""
    (tmp_path / "colorsys.py").touch()
    (tmp_path / "own_module.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert run_in_child(jobs.home_of, "colorsys", timeout_s=60) == colorsys.__file__
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert run_in_child(jobs.home_of, "own_module", timeout_s=60) == str(tmp_path / "own_module.py")


def test_warnings_are_repeated_here_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert run_in_child(jobs.warn, "something odd", timeout_s=60) == "something odd"
    assert [record.name for record in caplog.records if record.message == "something odd"] == ["reidctl.somewhere"]
