"""OSNet-AIN as models and presets of reidctl."""

from pathlib import Path

PRESETS = Path(__file__).parent / "presets"
"""The folder of this package's presets, one YAML file each."""
