"""What is stored in OpenVINO graphs: how it is read, and replaced under its name."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_constant(port: Any) -> bool:
    """Whether what an input takes is stored, not computed."""
    return bool(port.get_source_output().get_node().get_type_name() == "Constant")


def stored(port: Any) -> Any:
    """The array that an input takes, which is_constant."""
    return port.get_source_output().get_node().data


def copied(port: Any) -> Any:
    """The output of a new constant like the one that feeds an input, to feed another graph."""
    return _like(port.get_source_output().get_node(), stored(port))


def put(port: Any, values: Any) -> None:
    """Feed an input a constant of other values in place of the one before, which its other takers keep."""
    port.replace_source_output(_like(port.get_source_output().get_node(), values))


def put_everywhere(constant: Any, values: Any) -> None:
    """Feed all that a constant feeds other values."""
    constant.output(0).replace(_like(constant, values))


def _like(constant: Any, values: Any) -> Any:
    """The output of a constant of that name."""
    from openvino import op

    made = op.Constant(np.asarray(values, order="C"))
    made.set_friendly_name(constant.get_friendly_name())
    return made.output(0)
