"""The initialisers of ONNX files, and what they are used by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reidctl.errors import InputError

if TYPE_CHECKING:
    from onnx import TensorProto

SINGLE = "export the network again into one file"


def read_onnx(path: Path) -> tuple[dict[str, Tensor], frozenset[str]]:
    """The initialisers of an ONNX file under their names, text left out, and the types of the operators in its graph.

    Raises InputError for a file that is damaged or keeps its numbers in other files.
    """
    import onnx

    try:
        graph = onnx.load(path, format="protobuf", load_external_data=False).graph
    except Exception as error:
        # protobuf's C++ and Python implementations raise errors of their own.
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: no intact ONNX file: {reason}", "it may be incomplete: copy it again") from error
    if any(isinstance(proto.name, bytes) for proto in graph.initializer):
        # What is no UTF-8 stays bytes.
        raise InputError(f"{path}: damaged: a tensor's name is no text", SINGLE)
    tensors = {
        proto.name: _tensor(proto, path) for proto in graph.initializer if proto.data_type != onnx.TensorProto.STRING
    }
    return tensors, frozenset(str(node.op_type) for node in graph.node)


def _tensor(proto: TensorProto, path: Path) -> Tensor:
    from onnx import TensorProto, numpy_helper

    if proto.data_location == TensorProto.EXTERNAL:
        raise InputError(f"{path}: the numbers of '{proto.name}' are in another file", SINGLE)
    try:
        array = numpy_helper.to_array(proto)
        if array.dtype.isbuiltin != 1:
            # Types that numpy has not of its own: bfloat16, and floating point and integers of eight bits and less.
            array = array.astype("int8" if "int" in array.dtype.name else "float32")
        return torch.from_numpy(array.copy())
    except (ValueError, TypeError, KeyError, NotImplementedError, OverflowError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: damaged: tensor '{proto.name}': {reason}", SINGLE) from error
