"""Files as other programs wrote them, made by hand."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

NEW, OLD = True, False
"""Formats of torch.save: the ZIP archive of PyTorch 1.6, and the stream before."""


def save(path: Path, document: object, archive: bool = NEW) -> Path:
    torch.save(document, path, _use_new_zipfile_serialization=archive)
    return path


def wrapped(state: Mapping[str, Tensor], prefix: str = "module.") -> OrderedDict[str, Tensor]:
    """As DataParallel names it."""
    return OrderedDict((f"{prefix}{name}", value) for name, value in state.items())


def original(state: Mapping[str, Tensor], classes: int = 5) -> dict[str, Any]:
    """A checkpoint of the original toolkit trained on a GPU: cosine classifier [D, classes], optimizer, schedule."""
    weight = torch.nn.Parameter(torch.randn(6, classes))
    optimizer = torch.optim.Adam([weight], amsgrad=True)
    return {
        "state_dict": wrapped({**state, "classifier.weight": weight.detach()}),
        "epoch": 65,
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [40, 50]).state_dict(),
        "num_classes": [classes],
        "classes_map": {},
    }


def torchreid(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """A checkpoint of torchreid: linear classifier, and the rank-1 rate as numpy's number."""
    classifier = {"classifier.weight": torch.randn(5, 6), "classifier.bias": torch.zeros(5)}
    return {
        "state_dict": OrderedDict({**state, **classifier}),
        "epoch": 60,
        "rank1": np.float64(0.94),
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1).state_dict(),
    }


def tar(path: Path, values: Mapping[str, Tensor]) -> Path:
    """As PyTorch 0.1 saved float tensors: storages, tensors over them, and a pickle that names these by number."""
    members = {"sys_info": pickle.dumps({"protocol_version": 1000}, 2)}
    storages, tensors = io.BytesIO(), io.BytesIO()
    pickle.dump(len(values), storages, 2)
    pickle.dump(len(values), tensors, 2)
    for number, value in enumerate(values.values()):
        pickle.dump((number, "cpu", torch.FloatStorage), storages, 2)
        storages.write(struct.pack("<q", value.numel()) + value.numpy().tobytes())
        pickle.dump((100 + number, number, torch.FloatTensor), tensors, 2)
        tensors.write(struct.pack("<i4x", value.dim()))
        tensors.write(struct.pack(f"<{value.dim()}q", *value.shape) + struct.pack(f"<{value.dim()}q", *value.stride()))
        tensors.write(struct.pack("<q", 0))
    pickle.dump([], storages, 2)

    class ByNumber(pickle.Pickler):
        def persistent_id(self, value: object) -> str | None:
            return str(100 + value.number) if isinstance(value, Numbered) else None

    document = io.BytesIO()
    ByNumber(document, 2).dump({name: Numbered(number) for number, name in enumerate(values)})
    members |= {"storages": storages.getvalue(), "tensors": tensors.getvalue(), "pickle": document.getvalue()}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path


class Numbered:
    """Stands for a tensor."""

    def __init__(self, number: int) -> None:
        self.number = number


class Call:
    """Whoever unpickles this calls `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def network(*tensors: TensorProto) -> onnx.ModelProto:
    """An ONNX file with these initialisers; what it computes does not matter here."""
    node = helper.make_node("Identity", ["in"], ["out"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("in", "out")]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], list(tensors))
    return helper.make_model(graph, producer_name="pytorch")


def initialisers(state: Mapping[str, Tensor]) -> list[TensorProto]:
    return [numpy_helper.from_array(value.numpy(), name) for name, value in state.items()]


def save_onnx(path: Path, *tensors: TensorProto) -> Path:
    path.write_bytes(network(*tensors).SerializeToString())
    return path


def rezip(path: Path, compression: int = zipfile.ZIP_STORED, **added: bytes) -> Path:
    """The archive at `path` with the same entries packed otherwise, and others beside them."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {**entries, **added}.items():
            archive.writestr(name, content)
    return path
