"""OpenVINO graphs that tests build, computed as they are."""

import numpy as np
import openvino

from reidctl.runtimes.engine import engine


def computed(model: openvino.Model, inputs: np.ndarray) -> np.ndarray:
    """Its first output in f32 on the CPU."""
    compiled = engine().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([inputs])[0])
