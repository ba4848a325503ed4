"""Where an OpenVINO graph pools: the feature map behind its embedding."""

from __future__ import annotations

from typing import Any, NamedTuple

from reidctl.runtimes.constants import is_constant, stored


class PooledMap(NamedTuple):
    """An output [B, C, h, w] of a graph, or [B, h, w, C] with channels_last, that it makes one vector of."""

    output: Any
    channels_last: bool


def pooled_map(graph: Any) -> PooledMap | None:
    """The last map before the places of the image become one; None where the graph has none (tokens, flat vectors).

    Found by walking from the embedding back through everything that has one place only. Of several maps (levels that
    are pooled apart) the largest, then the last. A generalised mean, (mean of x^p)^(1/p), pools x, not x^p.
    """
    order = {op.get_friendly_name(): place for place, op in enumerate(graph.get_ordered_ops())}
    seen_by_images = _depends_on_input(graph)
    pending, seen, found = [graph.outputs[0].get_node().input_value(0)], set(), []
    while pending:
        here = pending.pop()
        name = here.get_node().get_friendly_name()
        if (name, here.get_index()) in seen or name not in seen_by_images:
            continue
        seen.add((name, here.get_index()))
        for source in (edge.get_source_output() for edge in here.get_node().inputs()):
            if source.get_node().get_friendly_name() not in seen_by_images:
                continue
            if _is_map(source) and (_places(here) == 1 or _flattens(here, source)):
                found.append(PooledMap(_before_power(source), _reduces_last(here)))
            elif _places(source) == 1 or (_places(here) == 1 and source.get_node().get_type_name() == "Reshape"):
                pending.append(source)
    return max(
        found,
        key=lambda one: (_area(one), order[one.output.get_node().get_friendly_name()]),
        default=None,
    )


def _depends_on_input(graph: Any) -> set[str]:
    found: set[str] = set()
    for op in graph.get_ordered_ops():
        sources = (edge.get_source_output().get_node().get_friendly_name() for edge in op.inputs())
        if op.get_type_name() == "Parameter" or not found.isdisjoint(sources):
            found.add(op.get_friendly_name())
    return found


def _sides(output: Any) -> list[int]:
    """Batch first, -1 for a free side; empty for a shape without a rank."""
    shape = output.get_partial_shape()
    return [side.get_length() if side.is_static else -1 for side in shape] if shape.rank.is_static else []


def _places(output: Any) -> int:
    """How many values [B, C, …] has for every channel; 0 for what is no batch of channels."""
    sides = _sides(output)
    if len(sides) < 2:
        return 0
    product = 1
    for side in sides[2:]:
        product *= abs(side)
    return product


def _is_map(output: Any) -> bool:
    return len(_sides(output)) == 4 and _places(output) > 1


def _flattens(output: Any, source: Any) -> bool:
    """Whether `output` is [B, C, h·w] of the map [B, C, h, w]."""
    sides = _sides(output)
    return len(sides) == 3 and sides[1] == _sides(source)[1] and sides[2] == _places(source)


def _area(found: PooledMap) -> int:
    sides = _sides(found.output)
    height, width = sides[1:3] if found.channels_last else sides[2:4]
    return height * width


def _reduces_last(output: Any) -> bool:
    """Whether a reduction takes axes 1 and 2 together: its map has the channels last."""
    node = output.get_node()
    if not node.get_type_name().startswith("Reduce"):
        return False
    axes = node.input(1)
    return is_constant(axes) and sorted(axis % 4 for axis in stored(axes).flatten()) == [1, 2]


def _before_power(output: Any) -> Any:
    """x of (clamped x)^p; any other output itself."""
    for kind in ("Power", "Clamp"):
        if output.get_node().get_type_name() != kind:
            break
        output = output.get_node().input_value(0)
    return output
