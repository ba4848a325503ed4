"""Artefacts opened for inference: a checkpoint, an ONNX file and an OpenVINO IR answer in the same way."""

from reidctl.runtimes.opening import ImageEmbedder, open_embedder

__all__ = ["ImageEmbedder", "open_embedder"]
