"""Image files whose names tell whom they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reidctl.data.problems import Problem, Report
from reidctl.datasets.layout import image_files


def named_files(
    name: str, folder: Path, pattern: re.Pattern[str], example: str, report: Report
) -> Iterator[tuple[Path, re.Match[str]]]:
    """The files in `folder` with the suffix of `example`, and how `pattern` takes their names apart.

    A name that it does not fit goes to `report`. Raises InputError where there are no such files.
    """
    for path in image_files(name, folder, Path(example).suffix):
        found = pattern.match(path.stem)
        if found is None:
            what = f"the name tells no identity as {name} writes it"
            hint = f"names are like {example}; take out files that are none of the data set's"
            report(Problem("misnamed", str(path), what, hint))
        else:
            yield path, found
