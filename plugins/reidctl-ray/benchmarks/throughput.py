"""Images a second of `reidctl ray embed` on a local cluster, beside `reidctl embed` in one process.

    python benchmarks/throughput.py                          drawn noise, 4,000 files of 128×64, retail-0248
    python benchmarks/throughput.py --images 20000 --actors 4 --preset retail-0267

The ways take turns and the median counts. Starting is told apart, since a cluster that exists and networks that are
open take work for hours: `start` is a run of two batches, images a second are those of the other images.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 32


def drawn_files(folder: Path, images: int) -> list[Path]:
    """JPEG files of noise that was smoothed, as large as those of Market-1501."""
    import numpy as np
    from PIL import Image, ImageFilter

    random, files = np.random.default_rng(0), []
    for number in range(images):
        noise = Image.fromarray(random.integers(0, 256, (128, 64, 3), dtype=np.uint8))
        files.append(folder / f"{number:06d}.jpg")
        noise.filter(ImageFilter.GaussianBlur(2)).save(files[-1], quality=90)
    return files


def seconds(command: str, listing: Path, output: Path, options: argparse.Namespace) -> float:
    """Of one call."""
    line = [sys.executable, "-m", "reidctl", *command.split(), str(listing), "-m", options.preset, "-o", str(output)]
    line += ["--batch-size", str(BATCH), "--device", "cpu", "--quiet"]
    if command != "embed":
        line += ["--address", "local", "--actors", str(options.actors), "--shard-rows", "512"]
    started = time.perf_counter()
    subprocess.run(line, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--preset", default="retail-0248")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "images").mkdir()
        files = [str(file) for file in drawn_files(folder / "images", options.images)]
        few, many = folder / "few.txt", folder / "many.txt"
        few.write_text("\n".join(files[: 2 * BATCH]))
        many.write_text("\n".join(files))
        ways, took = {"embed": ".parquet", "ray embed": ""}, {}
        for turn in range(options.turns):
            for way, suffix in ways.items():
                for listing in (few, many):
                    output = folder / f"{way.replace(' ', '-')}-{listing.stem}-{turn}{suffix}"
                    took.setdefault((way, listing), []).append(seconds(way, listing, output, options))
    print(f"{options.images:,} JPEG files of 128x64, {options.preset}, batches of {BATCH}, median of {options.turns}")
    for way in ways:
        start, whole = (statistics.median(took[way, listing]) for listing in (few, many))
        label = way if way == "embed" else f"{way}, {options.actors} actors"
        print(f"{label:22} start {start:5.1f} s, then {(options.images - 2 * BATCH) / (whole - start):6.0f} images/s")


if __name__ == "__main__":
    main()
