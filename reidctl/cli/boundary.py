"""The one place where an exception becomes a line on stderr and an exit code.

0 ok · 1 the asked-for check failed · 2 usage, configuration or input · 3 missing extra or broken plugin ·
101 a bug of ours · 130 interrupted.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from reidctl.errors import ReidError
from reidctl.files import is_full

INTERRUPTED, INTERNAL = 130, 101


def guarded(run: Callable[[], object], debug: bool = False) -> int:
    """Run a command and write out what it printed; its exit code. Usage errors are Typer's own and exit with 2."""
    debug = debug or bool(os.environ.get("REIDCTL_DEBUG"))
    code = _outcome(run, debug)
    try:
        # Here, since what fails when the interpreter ends is its own complaint and code 120.
        sys.stdout.flush()
    except OSError as error:
        _let_stdout_go()
        if code == 0 and not isinstance(error, BrokenPipeError):
            return _report(debug, *_system(error), ReidError.exit_code)
    return code


def _outcome(run: Callable[[], object], debug: bool) -> int:
    try:
        run()
    except SystemExit as exit_:
        return _ended(exit_, debug)
    except KeyboardInterrupt:
        return _report(debug, "interrupted", None, INTERRUPTED)
    except ReidError as error:
        return _report(debug, str(error), error.hint, error.exit_code)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough.
        _let_stdout_go()
        return 0
    except OSError as error:
        return _report(debug, *_system(error), ReidError.exit_code)
    except MemoryError:
        return _report(debug, "out of memory", "lower the batch size or the number of workers", ReidError.exit_code)
    except Exception as error:
        if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
            return _report(debug, *_unwritable(error), ReidError.exit_code)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return _report(
            debug, f"internal error: {reason}", "this is a bug; --debug shows the traceback to report", INTERNAL
        )
    return 0


def _ended(exit_: SystemExit, debug: bool) -> int:
    """The exit code of a command that ended by itself, or by what Typer made an exit of without a line."""
    cause: BaseException = exit_
    # What was raised `from None` has had its say.
    while above := cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__):
        cause = above
        if isinstance(cause, KeyboardInterrupt):
            return _report(debug, "interrupted", None, INTERRUPTED)
        if isinstance(cause, BrokenPipeError):
            _let_stdout_go()
            return 0
    if isinstance(exit_.code, str):
        return _report(debug, exit_.code, None, 1)
    return exit_.code or 0


def _let_stdout_go() -> None:
    """Send nowhere what cannot be written, of which the interpreter would complain when it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system(error: OSError) -> tuple[str, str | None]:
    reason = error.strerror or " ".join(str(error).split())
    hint = "free some space; what was finished before is kept" if is_full(error) else None
    return (f"{error.filename}: {reason}" if error.filename else reason), hint


def _unwritable(error: UnicodeEncodeError) -> tuple[str, str]:
    """What is said of a file whose name is bytes, where Unicode is to be written."""
    ends = r'[\0\n,"<>]'
    name = re.split(ends, error.object[: error.start])[-1] + re.split(ends, error.object[error.start :])[0]
    escaped = name.encode(errors="backslashreplace").decode()
    return f"{escaped}: a file's name that is not UTF-8 cannot be written down", "rename the file"


def _report(debug: bool, message: str, hint: str | None, code: int) -> int:
    if debug:
        traceback.print_exc()
    from reidctl.cli.output import output

    output.error(" ".join(message.split()), hint)
    return code
