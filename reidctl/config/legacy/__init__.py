"""Configurations of the original toolkit (deep-object-reid and its predecessor): YAML of yacs, in three revisions."""

from reidctl.config.legacy.conversion import Conversion, convert

__all__ = ["Conversion", "convert"]
