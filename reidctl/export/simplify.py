"""onnxsim, where it makes a graph smaller, and never in the way where it does not."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from reidctl.runtimes.child import Crashed, run_in_child

logger = logging.getLogger(__name__)

TIMEOUT_S = 300.0
UNUSED = ("torch", "sympy", "onnxscript")
"""What onnxsim imports where it is installed, for what is not asked of it here: five of the six seconds it takes."""


def simplified(model: Any) -> Any:
    """An onnx.ModelProto with fewer nodes where onnxsim finds any; as it is where onnxsim fails, crashes or hangs.

    onnxsim is C++: it computes in a process of its own.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="reidctl-") as folder:
        plain, simple = Path(folder, "plain.onnx"), Path(folder, "simple.onnx")
        onnx.save(model, plain)
        try:
            run_in_child(simplify, plain, simple, timeout_s=TIMEOUT_S)
        except Crashed as crash:
            # What there may be of its file is not all of it.
            logger.debug("onnxsim is left out: %s", crash)
            return model
        return onnx.load(simple) if simple.exists() else model


def simplify(plain: Path, simple: Path) -> None:
    """Write what onnxsim makes of a file, if it has fewer nodes and onnxsim finds it the same.

    For a process of its own: what is imported later there cannot import any of UNUSED.
    """
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # Python's own mark for what is not to be had
    import onnx
    import onnxsim

    model = onnx.load(plain)
    found, same = onnxsim.simplify(model)
    if same and len(found.graph.node) < len(model.graph.node):
        onnx.save(found, simple)
