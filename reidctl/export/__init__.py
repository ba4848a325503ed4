"""Trained networks as ONNX files and OpenVINO IR, and the proof that two artefacts are the same network."""

from reidctl.export.accuracy import Goal
from reidctl.export.check import Exported
from reidctl.export.ir import export_ir
from reidctl.export.onnx import export_onnx
from reidctl.export.verification import Verification, verify

__all__ = ["Exported", "Goal", "Verification", "export_ir", "export_onnx", "verify"]
