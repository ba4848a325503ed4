"""Trained networks as ONNX files and OpenVINO IR, and the proof that two artefacts are the same network."""

from reidctl.export.ir import export_ir
from reidctl.export.onnx import export_onnx
from reidctl.export.verification import Verification, verify

__all__ = ["Verification", "export_ir", "export_onnx", "verify"]
