"""Files of weights, told apart by what is in them: a name's ending promises nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reidctl.errors import InputError
from reidctl.weights.matching import Weights
from reidctl.weights.onnx_file import read_onnx
from reidctl.weights.pytorch_file import read_archive, read_stream, refuse_pickle, refuse_tar
from reidctl.weights.safetensors_file import read_safetensors

HEAD = 512
LONGEST_NAME = 512
LONGEST_HEADER = 100_000_000
"""Of safetensors, by its own definition."""
TORCH_STREAM = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""The number with which PyTorch before 1.6 begins a file, as pickles write it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files; recognise takes their first HEAD bytes, read gives tensors and the operators of a graph."""

    kind: str
    recognise: Callable[[bytes], bool]
    read: Callable[[Path], tuple[dict[str, Tensor], frozenset[str]]]


def _is_safetensors(head: bytes) -> bool:
    """A JSON object after a length that is in reason; the length may look like the start of any other format."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER


def _alone(read: Callable[[Path], dict[str, Tensor]]) -> Callable[[Path], tuple[dict[str, Tensor], frozenset[str]]]:
    """Of a format that holds tensors and no graph."""
    return lambda path: (read(path), frozenset())


FORMATS = (
    Format("safetensors", _is_safetensors, _alone(lambda path: read_safetensors(path)[0])),
    Format("PyTorch", lambda head: head.startswith(b"PK\x03\x04"), _alone(read_archive)),
    Format("PyTorch before 1.6", lambda head: TORCH_STREAM in head[:32], _alone(read_stream)),
    Format("PyTorch before 0.2", lambda head: head[257:262] == b"ustar", _alone(refuse_tar)),
    Format("pickle", lambda head: head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05", _alone(refuse_pickle)),
    Format("ONNX", lambda head: head.startswith(b"\x08"), read_onnx),
)


def read_weights(path: Path) -> Weights:
    """The tensors in a safetensors, PyTorch or ONNX file under their names there, on the CPU; runs no code of the file.

    Raises InputError for a file that is missing, damaged, not of these formats, or without tensors, and PickleRefused
    for one that holds more than tensors and plain values.
    """
    kind = _format(path)
    tensors, operators = kind.read(path)
    return checked(Weights(path, kind.kind, tensors, operators))


def checked(weights: Weights) -> Weights:
    """The same; InputError where there are none, or where a name is none."""
    if not weights.tensors:
        raise InputError(f"{weights.path}: the {weights.kind} file holds no tensors")
    odd = next((name for name in weights.tensors if not name.isprintable() or len(name) > LONGEST_NAME), None)
    if odd is not None:
        raise InputError(f"{weights.path}: {odd[:40]!a} is no tensor's name")
    return weights


def _format(path: Path) -> Format:
    if path.is_dir():
        inside = sorted(path.glob("weights/*.safetensors"))
        hint = f"give the checkpoint {inside[0]}" if inside else "give a file"
        raise InputError(f"{path}: a folder, not a file of weights", hint)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise InputError(f"{path}: an empty file", "it may be incomplete: copy or download it again")
    found = next((kind for kind in FORMATS if kind.recognise(head)), None)
    if found is None:
        raise InputError(f"{path}: {_stranger(head)}", "give a safetensors, PyTorch (.pth, .pt) or ONNX file")
    return found


def _stranger(head: bytes) -> str:
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not weights; what was downloaded is no file"
    if start.startswith((b"<?xml", b"<net")):
        return "XML; an OpenVINO IR keeps no names of weights, so the ONNX file it was made from is needed"
    return "no file of weights of a known format"
