"""How near our network with the weights of a published ONNX file comes to that file, and what keeps them apart.

    python benchmarks/onnx_parity.py                           files below REIDCTL_TEST_DATA
    python benchmarks/onnx_parity.py net.onnx images/ --preset retail-0267 --images 500

The file runs in OpenVINO, pinned to f32. Its gates normalise without the eps of the group norms that the network was
trained with: they divide by sqrt(variance) + 1e-9 and not by sqrt(variance + 1e-5). So the network is measured as it
is, with ever smaller eps, and with the file's own rule; then the two rules against each other in float64, without
OpenVINO.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from side_by_side.results import Column, NotHere, Report, add_json, run
from torch import Tensor, nn

from reidctl import open_embedder
from reidctl.config import load_config
from reidctl.data.images import load_array
from reidctl.data.listing import listed_images
from reidctl.data.loader import normalize
from reidctl.training.checkpoint import build_model
from reidctl.weights import load_weights

MODEL = "models/omz/person-reidentification-retail-0267.onnx"
IMAGES = "data/market1501/Market-1501-v15.09.15/query"
BATCH = 8
COSINE = 0.9999
COLUMNS = (
    Column("way", "gates", width=50),
    Column("least_cosine", "least cosine", ".7f"),
    Column("mean_gap", "mean 1-cos", ".1e"),
    Column("largest_gap", "max 1-cos", ".1e"),
    Column(f"below_{COSINE}", f"<{COSINE}", "d"),
    Column("largest_relative", "max relative", ".1e"),
)


class MeanVariance(nn.Module):
    """ONNX's MeanVarianceNormalization as OpenVINO computes it, within groups of channels of [B, C, 1, 1]."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, values: Tensor) -> Tensor:
        groups = values.flatten(1).unflatten(1, (self.norm.num_groups, -1))
        centred = groups - groups.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True).sqrt() + 1e-9)
        return (normed.flatten(1) * self.norm.weight + self.norm.bias)[:, :, None, None]


def ways(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network under each rule, one after another in place."""
    norms = [(parent, name) for parent in network.modules() for name, _ in _norms(parent)]
    for eps in (1e-5, 1e-6, 1e-8, 1e-10):
        for parent, name in norms:
            getattr(parent, name).eps = eps
        yield f"eps {eps:g}" + (", as trained" if eps == 1e-5 else ""), network
    for parent, name in norms:
        setattr(parent, name, MeanVariance(getattr(parent, name)))
    yield "the file's rule", network


def _norms(parent: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, child) for name, child in parent.named_children() if isinstance(child, nn.GroupNorm)]


@torch.inference_mode()
def embed(network: nn.Module, pictures: np.ndarray, image: Any, dtype: torch.dtype) -> np.ndarray:
    """pictures [N, H, W, 3] uint8 -> embeddings [N, D] in `dtype`, as float64."""
    batches = torch.from_numpy(pictures).permute(0, 3, 1, 2).split(BATCH)
    return torch.cat([network(normalize(batch, image).to(dtype)) for batch in batches]).double().numpy()


def row(way: str, a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """How far two sets of embeddings of the same images are apart."""
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(1) / (lengths[0] * lengths[1])
    return {
        "way": way,
        "least_cosine": float(cosines.min()),
        "mean_gap": float(1 - cosines.mean()),
        "largest_gap": float(1 - cosines.min()),
        f"below_{COSINE}": int((cosines < COSINE).sum()),
        "largest_relative": float((np.linalg.norm(a - b, axis=1) / lengths[1]).max()),
    }


def measure(onnx: Path, folder: Path, preset: str, count: int | None) -> dict[str, Any]:
    """The table, and how many images and tensors it is of."""
    config = load_config(preset).config
    samples = listed_images(folder)[:count]
    pictures = np.stack([load_array(sample, config.data.image) for sample in samples])
    published = open_embedder(onnx, device="cpu", precision="f32").embed_batch(pictures).astype(np.float64)
    network, exact = build_model(config), build_model(config).double()
    report = load_weights(network, onnx)
    load_weights(exact, onnx)
    rows, precise = [], []
    for way, changed in ways(network.eval()):
        rows.append(row(way, embed(changed, pictures, config.data.image, torch.float32), published))
    for way, changed in ways(exact.eval()):
        if way in (rows[0]["way"], rows[-1]["way"]):
            precise.append(embed(changed, pictures, config.data.image, torch.float64))
    rows.append(row("the file's rule, float64", precise[1], published))
    rows.append(row("eps 1e-05 against the file's rule, both float64", *precise))
    return {"images": len(samples), "loaded": len(report.loaded), "skipped": len(report.skipped), "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx", type=Path, nargs="?")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--preset", default="retail-0267")
    parser.add_argument("--images", type=int, help="the first so many; all of the folder otherwise")
    add_json(parser)
    options = parser.parse_args()
    data = os.environ.get("REIDCTL_TEST_DATA")
    if options.folder is None and not data:
        raise NotHere("no published ONNX file and no images", "name both, or set REIDCTL_TEST_DATA")
    onnx, folder = options.onnx or Path(data or "", MODEL), options.folder or Path(data or "", IMAGES)
    report = Report(options.json)
    found = measure(onnx, folder, options.preset, options.images)
    images = "named images" if options.folder else "queries of market1501-dev"
    report.note(f"{found['images']} {images}; {found['loaded']} tensors loaded, {found['skipped']} skipped")
    table = report.table("", *COLUMNS)
    for line in found["rows"]:
        table.add(line)
    report.finish()


if __name__ == "__main__":
    run(main)
