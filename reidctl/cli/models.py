"""`reidctl models list|info`: networks, their parameters, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl import registry
from reidctl.cli.options import Json, names_of
from reidctl.cli.output import output
from reidctl.cli.parts import describe, entry_row, listing, parameter_rows

if TYPE_CHECKING:
    from reidctl.complexity import Complexity
    from reidctl.zoo.catalogue import Published

app = listing(registry.models)


def _complete(incomplete: str) -> list[str]:
    return names_of(registry.models)(incomplete) + names_of(registry.presets)(incomplete)


@app.command("info", help="Show what a model or a preset's model is, which parameters it takes, and what it costs.")
def info(
    name: Annotated[str, typer.Argument(metavar="NAME|PRESET", autocompletion=_complete, show_default=False)],
    json: Json = False,
) -> None:
    """Show what a model or a preset's model is, which parameters it takes, and what it costs."""
    from reidctl.complexity import measure
    from reidctl.config import load_config
    from reidctl.zoo.catalogue import published

    preset = name if name in registry.presets.names() and name not in registry.models.names() else None
    if not preset:
        registry.models.load(name)
    config = load_config(preset, sets=[] if preset else [f"model={name}"]).config
    size = config.data.image.size
    cost = measure(registry.models.build(config.model, image_size=size), size)
    stated = published(name)
    if json:
        found: dict[str, Any] = {
            **entry_row(registry.models, config.model.name),
            "parameters": parameter_rows(registry.models, config.model.name),
            "options": config.model.parameters,
            "image": list(size),
            "complexity": {
                "parameters": cost.parameters,
                "folded_parameters": cost.folded_parameters,
                "macs": cost.macs,
                "gflops": cost.gflops,
                "published_gflops": cost.published_gflops,
                "activation_bytes": cost.activation_bytes,
                "feature_maps": cost.feature_maps,
            },
            "published": stated and {"network": stated[0], **stated[1].model_dump()},
        }
        output.json("reidctl.model/1", found)
        return
    describe(registry.models, config.model.name, json=False)
    options = ", ".join(f"{key} {value}" for key, value in config.model.parameters.items()) or "the defaults"
    output.table(
        ["cost", "value", "what it counts"],
        _rows(cost, stated),
        title=f"{name}: {size[0]}×{size[1]} pixels, {options}",
    )


def _rows(cost: Complexity, stated: tuple[str, Published] | None) -> list[list[str]]:
    folded = "batch norms folded, shared gates at every use, as published counts do"
    maps = ", ".join(f"{child} {'×'.join(map(str, shape))}" for child, shape in cost.feature_maps.items())
    parameters, gflops = _stated(*stated) if stated else ([], [])
    return [
        ["parameters", f"{cost.parameters / 1e6:.3f} M", "the embedding network, without classifier"],
        ["folded parameters", f"{cost.folded_parameters / 1e6:.3f} M", folded],
        *parameters,
        ["MACs", f"{cost.macs / 1e9:.3f} G", "multiply-accumulates of convolutions and matrix products"],
        ["GFLOPs", f"{cost.gflops:.3f}", "2 × MACs"],
        ["GFLOPs, published rule", f"{cost.published_gflops:.3f}", "and element-wise work"],
        *gflops,
        ["activations", f"{cost.activation_bytes / 2**20:.1f} MiB", "kept for the backward pass, one image, f32"],
        ["feature maps", "", maps],
    ]


def _stated(network: str, published: Published) -> tuple[list[list[str]], list[list[str]]]:
    origin = f"as {network} states them"
    return (
        [["published parameters", f"{published.mparams:.3f} M", origin]],
        [["published GFLOPs", f"{published.gflops:.3f}", origin]],
    )
