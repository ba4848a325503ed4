"""Files that torch.save wrote, of any age. Pickle can run anything: only tensors and plain values are let through."""

from __future__ import annotations

import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reidctl.errors import InputError

CONTAINERS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "weights")
"""Keys under which training programs keep the network's state dict among other things, the likeliest first."""

DEPTH = 4
TRUST = "if you trust where it comes from, `reidctl convert-weights {path} OUT.safetensors … --trust-pickle` runs it"
DAMAGED = "it may be incomplete: copy or download it again"
GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


class PickleRefused(InputError):
    """A file that cannot be read without running code that it names. wanted: the name, None where it is not known."""

    def __init__(self, path: Path, reason: str, wanted: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", TRUST.format(path=path))
        self.wanted = wanted


def read_archive(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of PyTorch 1.6 or newer, a ZIP archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise InputError(f"{path}: a damaged PyTorch file: {error}", DAMAGED) from error
    names = [entry.filename for entry in entries]
    if not any(name.rpartition("/")[2] == "data.pkl" for name in names):
        raise InputError(f"{path}: a ZIP archive that torch.save did not write")
    if any(".." in name.split("/") or name.startswith("/") for name in names):
        raise InputError(f"{path}: an archive with paths that lead out of it, which torch.save never writes")
    if any(name.rpartition("/")[2] == "constants.pkl" for name in names):
        raise PickleRefused(path, "a TorchScript archive, which is a program")
    # What is stored as it is cannot be larger than the file; what unpacks to more would fill the memory.
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise InputError(f"{path}: an archive that claims more bytes than it has, which torch.save never writes")
    return read_stream(path)


def read_stream(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of PyTorch of any age, through its reader of tensors only."""
    try:
        with warnings.catch_warnings():
            # Advice on the pickle, to whoever wrote it.
            warnings.simplefilter("ignore")
            document = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A pickle is a program for a small machine; a broken one stops it with whatever error its steps raise.
        named = GLOBAL.search(str(error))
        if named:
            raise PickleRefused(path, f"a pickle that wants to call {named[1]}", named[1]) from error
        raise InputError(f"{path}: a damaged PyTorch file: {_reason(error)}", DAMAGED) from error
    return state_dict(document, path)


def refuse_tar(path: Path) -> NoReturn:
    """Raise PickleRefused: the reader of tensors only knows no tar files."""
    raise PickleRefused(path, "a tar file as PyTorch before 0.2 wrote them, which cannot be read without running it")


def refuse_pickle(path: Path) -> NoReturn:
    """Raise InputError: there are no tensors to find."""
    raise InputError(f"{path}: a pickle that torch.save did not write", "save the state dict with torch.save")


def state_dict(document: object, path: Path) -> dict[str, Tensor]:
    """The named tensors of a saved object: a state dict, a module, or a checkpoint with either under a usual key."""
    for _ in range(DEPTH):
        if isinstance(document, nn.Module):
            document = document.state_dict()
        if not isinstance(document, Mapping):
            break
        inside = (document.get(key) for key in CONTAINERS)
        deeper = next((value for value in inside if isinstance(value, Mapping | nn.Module)), None)
        if deeper is None:
            return {name: value for name, value in document.items() if _is_named_tensor(name, value)}
        document = deeper
    raise InputError(
        f"{path}: no state dict, but {type(document).__name__}", f"it should be one, or hold one as {CONTAINERS[0]}"
    )


def unpickle(path: Path, target: Path) -> None:
    """Run the pickle in `path`, with whatever code it names, and write its tensors to `target` as safetensors."""
    # Python 2 wrote text that only Latin-1 always decodes.
    document = torch.load(path, map_location="cpu", weights_only=False, encoding="latin1")
    found = state_dict(document, path)
    save_file({name: value.detach().clone().contiguous() for name, value in found.items()}, target)


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _reason(error: Exception) -> str:
    """The part of PyTorch's words that says what is wrong; the rest is advice about its own options."""
    text = " ".join(str(error).rpartition("WeightsUnpickler error:")[2].split())
    return text.partition(" Check the documentation")[0][:200] or type(error).__name__
