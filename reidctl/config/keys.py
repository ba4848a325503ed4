"""Keys of a configuration, written with dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(value: Any, key: str = "") -> dict[str, Any]:
    """`{"data": {"image": {"width": 128}}}` as `{"data.image.width": 128}`; items of lists by number.

    What is empty stays: `{"losses": []}` has the key `losses`. key: of the value itself.
    """
    inside = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(inside, Mapping) or not inside:
        return {key: value}
    found: dict[str, Any] = {}
    for name, item in inside.items():
        found |= flattened(item, f"{key}.{name}" if key else str(name))
    return found
