"""A slow call of `embed_to_file` in a process of its own, to be killed."""

import sys
import time
from pathlib import Path

from tests.retrieval.test_bulk import Colours, pictures, plan


class Slow(Colours):
    def embed_batch(self, images):  # type: ignore[no-untyped-def]
        time.sleep(0.02)
        return super().embed_batch(images)


if __name__ == "__main__":
    from reidctl.retrieval import bulk

    bulk.PART_ROWS = 16
    folder, output = map(Path, sys.argv[1:])
    bulk.embed_to_file(Slow(), pictures(folder), plan(output))
