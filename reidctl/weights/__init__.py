"""Weights from anywhere: files of several formats, read safely and put into a network by name."""

from reidctl.weights.loading import load_weights, put_weights
from reidctl.weights.matching import Match, Report, Tensors, Weights, match
from reidctl.weights.read import read_weights

__all__ = ["Match", "Report", "Tensors", "Weights", "load_weights", "match", "put_weights", "read_weights"]
