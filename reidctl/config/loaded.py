"""What loading a configuration gives."""

from __future__ import annotations

from dataclasses import dataclass

from reidctl.config.layers import Merged
from reidctl.config.schema import RunConfig


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration, and the values as they were given with their origins."""

    config: RunConfig
    given: Merged
