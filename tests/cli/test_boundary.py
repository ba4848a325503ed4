"""Every way a command can end has one line on stderr and its exit code."""

import errno
import io
from collections.abc import Callable

import pytest

from reidctl.cli.boundary import guarded
from reidctl.errors import CheckFailed, ConfigError, InputError, MissingExtra, PluginError, ReidError, UnknownName


def _raise(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CheckFailed("mAP is low"), 1, "error: mAP is low"),
        (ConfigError("a.b: no\nsuch key"), 2, "error: a.b: no such key"),
        (InputError("x.jpg: truncated"), 2, "error: x.jpg: truncated"),
        (UnknownName("no model"), 2, "error: no model"),
        (PluginError("broken"), 3, "error: broken"),
        (MissingExtra("nncf"), 3, "error: nncf"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "error: /x: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device", "out"), 2, "error: out: No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "out"), 2, "error: out: Disk quota exceeded"),
        (MemoryError(), 2, "error: out of memory"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (ZeroDivisionError("division by zero"), 101, "error: internal error: ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(_raise(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    first, *hints = captured.err.splitlines()
    assert first == line
    assert all(hint.startswith("hint: ") for hint in hints)


def test_the_hint_is_a_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(_raise(ConfigError("train.epcohs: no such key", "did you mean 'epochs'?")))
    assert capsys.readouterr().err == "error: train.epcohs: no such key\nhint:  did you mean 'epochs'?\n"


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_DEBUG", "1")
    guarded(_raise(ConfigError("x")))
    assert "Traceback" in capsys.readouterr().err


def test_success_is_zero() -> None:
    assert guarded(lambda: None) == 0


def test_a_usage_error_keeps_its_code() -> None:
    assert guarded(_raise(SystemExit(2))) == 2


@pytest.mark.parametrize("kind", ReidError.__subclasses__())
def test_every_kind_of_error_has_a_documented_code(kind: type[ReidError]) -> None:
    assert kind.exit_code in {1, 2, 3}


def _ended_by_typer(cause: type[BaseException]) -> None:
    """Typer makes an exit of these two before anyone sees them."""
    try:
        raise cause
    except cause:
        raise SystemExit(1)  # noqa: B904


def test_an_interrupted_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: _ended_by_typer(KeyboardInterrupt)) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_reader_that_has_seen_enough_is_no_failed_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: _ended_by_typer(BrokenPipeError)) == 0
    assert capsys.readouterr().err == ""


def test_a_plugin_that_exits_with_words_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(_raise(SystemExit("no such camera"))) == 1
    assert capsys.readouterr().err == "error: no such camera\n"


@pytest.mark.parametrize(
    ("lost", "ending", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), None, 2, "error: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), SystemExit(0), 2, "error: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), CheckFailed("mAP is low"), 1, "error: mAP is low"),
        (BrokenPipeError(), None, 0, ""),
        (BrokenPipeError(), SystemExit(0), 0, ""),
        (BrokenPipeError(), CheckFailed("mAP is low"), 1, "error: mAP is low"),
    ],
)
def test_what_stdout_does_not_take_in_the_end_is_told_here(
    lost: OSError,
    ending: BaseException | None,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lost(io.StringIO):
        def flush(self) -> None:
            raise lost

    monkeypatch.setattr("sys.stdout", Lost())
    assert guarded(_raise(ending) if ending else lambda: None) == code
    assert capsys.readouterr().err.partition("\n")[0] == said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_what_to_do(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    guarded(_raise(OSError(number, "full", "out")))
    assert "free some space" in capsys.readouterr().err
