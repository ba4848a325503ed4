"""What loading a configuration gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.config.layers import Merged
    from reidctl.config.schema import RunConfig


@dataclass(frozen=True)
class Loaded:
    """A checked configuration as JSON holds it, every default filled in, and what was given with its origins."""

    values: dict[str, Any]
    given: Merged

    @cached_property
    def config(self) -> RunConfig:
        """The configuration as a record, made when it is first asked for."""
        from reidctl.config.schema import RunConfig
        from reidctl.validation import validate

        return validate(RunConfig, self.given.values)
