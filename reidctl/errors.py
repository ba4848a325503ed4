"""What can go wrong and how the command line answers it.

ReidError              anything a user can mend: one line on stderr
  ConfigError          a configuration file, variable or option      exit 2
  InputError           a file, folder, data set or artefact           exit 2
  UnknownName          a part that nobody registered                  exit 2
    MissingPackage     one of a package of ours that is not installed exit 3
  ExistsError          an output that would be overwritten            exit 2
  TrainingError        a training run whose loss is not finite        exit 2
  DiskFull             an output that its disk has no space for       exit 2
  PluginError          an installed part that cannot be used          exit 3
  MissingExtra         an optional dependency that is not there       exit 3
  CheckFailed          the check that was asked for did not hold      exit 1
"""

import difflib
from collections.abc import Iterable, Sequence


class ReidError(Exception):
    """Root of every error a user can mend.

    The message says what is wrong, where, and what is near; `hint` says what to do.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ReidError):
    """A value that no configuration may have, or a key that does not exist."""


class InputError(ReidError):
    """A file, folder, data set or artefact that cannot be read or is not what it claims to be."""


class UnknownName(ReidError):
    """A name that no installed package registers."""


class MissingPackage(UnknownName):
    """The name of a part of a package of this project that is not installed."""

    exit_code = 3


class ExistsError(ReidError):
    """An output that is already there and would be lost."""


class PluginError(ReidError):
    """An installed plugin that does not import, fit this version, or keep its contract."""

    exit_code = 3


class MissingExtra(ReidError):
    """An optional dependency that the asked-for feature needs."""

    exit_code = 3


class TrainingError(ReidError):
    """A training run that cannot go on because a loss is not finite."""


class DiskFull(ReidError):
    """An output that its disk has no space for; what was there under its name still is."""


class CheckFailed(ReidError):
    """The command worked; the answer to what it checked is no."""

    exit_code = 1


def require_known(what: str, name: str, known: Sequence[str]) -> None:
    """ConfigError unless name is one of the known ones."""
    if name not in known:
        raise ConfigError(f"no {what} '{name}'", suggestion(name, known, f"there are {', '.join(known)}"))


def few(items: Sequence[object], most: int) -> str:
    """The first `most` of the items in words, and how many more there are."""
    shown = ", ".join(str(item) for item in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is close (Ratcliff/Obershelp, 0.6)."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1)
    return matches[0] if matches else None


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """The hint for a mistyped name: the nearest known one, else `otherwise`."""
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else otherwise
