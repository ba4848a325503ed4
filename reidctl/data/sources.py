"""The data sets that a run trains and tests on, as its configuration names them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from reidctl.config.schema import DataConfig
from reidctl.data.checking import bad_images
from reidctl.data.leakage import shared_images, shared_people
from reidctl.data.matching import no_match_cause, unmatched
from reidctl.data.names import distinct
from reidctl.data.problems import Problem, Report, listed, refuse
from reidctl.errors import InputError, PluginError
from reidctl.registry import datasets
from reidctl.types import ReidData, Sample, Spec

logger = logging.getLogger(__name__)

OnBadImage = Literal["error", "skip"]


def load_data(config: DataConfig) -> tuple[ReidData, list[ReidData]]:
    """What `load_sources` and `load_targets` give, when nothing that is tested on is trained on, too.

    Raises InputError for a source and a target that share images or people, unless `allow_leakage`.
    """
    sources, targets = _sources(config), load_targets(config)
    if not config.allow_leakage:
        _require_apart(config, sources, targets)
    return _joined(sources), targets


def load_sources(config: DataConfig) -> ReidData:
    """The training images of all sources as one data set without query and gallery.

    Identities and cameras are numbered from 0 without gaps, source by source in the order of the configuration;
    two sources share none. With `combineall` the query and gallery of each source are trained on too, and with
    `min_images_per_identity` identities of fewer images are left out, both before the sources are joined.
    Raises InputError for a source without training images or without an identity of enough of them, and for bad
    images (`reidctl.data.checking`), which `on_bad_image: skip` leaves out and counts in a warning.
    """
    return _joined(_sources(config))


def load_targets(config: DataConfig) -> list[ReidData]:
    """The data sets to test on, each under a name of its own.

    Raises InputError for one that cannot be scored: without query, gallery, or any pair across cameras, and for bad
    images as `load_sources` does.
    """
    targets = [
        load_target(spec, config.root, config.on_bad_image, f"data.targets.{i}")
        for i, spec in enumerate(config.targets)
    ]
    return told_apart(targets)


def load_target(spec: Spec, root: Path, on_bad_image: OnBadImage = "error", at: str = "") -> ReidData:
    """One data set to test on, as `load_targets` gives it; `at` is the key path that errors name."""
    found: list[Problem] = []
    data = open_dataset(spec, root, found.append, at)
    bad = _judged(data, found, (*data.query, *data.gallery), on_bad_image)
    data = replace(
        data,
        query=tuple(_usable(data.query, bad)),
        gallery=tuple(_usable(data.gallery, bad)),
    )
    _require_test(data)
    return data


def open_dataset(spec: Spec, root: Path, report: Report = refuse, at: str = "") -> ReidData:
    """The data set that `spec` names, below `root`; files and lines that its reader cannot use go to `report`."""
    data = datasets.build(spec, at=at, root=root, report=report)
    if not isinstance(data, ReidData):
        origin = datasets.find(spec.name).origin
        raise PluginError(f"data set '{spec.name}' from {origin} returned a {type(data).__name__}, not a ReidData")
    return data


def _sources(config: DataConfig) -> list[ReidData]:
    """Each source as it is trained on, with contiguous labels of its own."""
    problems: list[list[Problem]] = [[] for _ in config.sources]
    # All are opened first: a mistake in the configuration shows before any image is looked at.
    opened = [
        open_dataset(spec, config.root, found.append, f"data.sources.{index}")
        for index, (spec, found) in enumerate(zip(config.sources, problems, strict=True))
    ]
    sources = []
    for data, found in zip(opened, problems, strict=True):
        if config.combineall:
            data = _with_test_images(data)
        bad = _judged(data, found, data.train, config.on_bad_image)
        data = _trained_on(data, _usable(data.train, bad))
        if not data.train:
            raise InputError(
                f"data set '{data.name}' has no training images",
                "it is for testing only, or its folder is incomplete; `reidctl datasets stats` shows what is there",
            )
        sources.append(_without_rare(data, config.min_images_per_identity))
    return sources


def _judged(data: ReidData, found: list[Problem], samples: Sequence[Sample], on_bad_image: OnBadImage) -> set[Path]:
    """The files of `samples` to leave out; InputError where there is anything bad and it is not to be skipped."""
    # To stop a run later is no way to skip: then every image is decoded.
    bad = bad_images(samples, decoded=on_bad_image == "skip")
    problems = [*found, *bad.values()]
    if not problems:
        return set()
    count = _counted(len(problems), "bad image", "bad images")
    if on_bad_image == "error":
        remedy = problems[0].hint or "`reidctl datasets verify` lists them all"
        raise InputError(
            f"data set '{data.name}': {count}: {listed(problems)}",
            f"{remedy}; data.on_bad_image=skip leaves such images out",
        )
    logger.warning("data set '%s': %s skipped: %s", data.name, count, listed(problems))
    return set(bad)


def _usable(samples: Sequence[Sample], bad: set[Path]) -> list[Sample]:
    return [sample for sample in samples if not (isinstance(sample.image, Path) and sample.image in bad)]


def _with_test_images(data: ReidData) -> ReidData:
    """All people of the data set in train; one whose number is known from training keeps that label."""
    people = [s for s in (*data.query, *data.gallery) if s.identity >= 0 and s.identity not in data.distractors]
    labels = {identity: label for label, identity in enumerate(data.train_identities)}
    new = sorted({sample.identity for sample in people} - labels.keys())
    known = data.train_identities or data.num_identities == 0
    labels |= _numbered(new, first=data.num_identities)
    train = (*data.train, *(replace(s, identity=labels[s.identity]) for s in people))
    return replace(data, train=train, train_identities=(*data.train_identities, *new) if known else ())


def _without_rare(data: ReidData, least: int) -> ReidData:
    counts = Counter(sample.identity for sample in data.train)
    kept = [sample for sample in data.train if counts[sample.identity] >= least]
    if not kept:
        most = max(counts.values(), default=0)
        raise InputError(
            f"data set '{data.name}': no identity has {least} training images, the most is {most}",
            "lower data.min_images_per_identity",
        )
    return _trained_on(data, kept)


def _trained_on(data: ReidData, train: Sequence[Sample]) -> ReidData:
    """`data` with some of its training samples, whose labels are again without gaps."""
    if len(train) == len(data.train):
        return data
    labels = _numbered(sample.identity for sample in train)
    numbers = tuple(data.train_identities[label] for label in labels) if data.train_identities else ()
    samples = tuple(replace(sample, identity=labels[sample.identity]) for sample in train)
    return replace(data, train=samples, train_identities=numbers)


def _joined(sources: Sequence[ReidData]) -> ReidData:
    train: list[Sample] = []
    identities = cameras = 0
    for source in sources:
        numbers = _numbered((s.camera for s in source.train), first=cameras)
        train.extend(replace(s, identity=s.identity + identities, camera=numbers[s.camera]) for s in source.train)
        identities += source.num_identities
        cameras += len(numbers)
    sizes = tuple(len(source.train) for source in sources)
    return ReidData("+".join(source.name for source in sources), train=tuple(train), train_sources=sizes)


def _numbered(values: Iterable[int], first: int = 0) -> dict[int, int]:
    """Each distinct value -> its rank, from `first`."""
    return {value: number for number, value in enumerate(sorted(set(values)), start=first)}


def _require_apart(config: DataConfig, sources: Sequence[ReidData], targets: Sequence[ReidData]) -> None:
    for i, (source, spec) in enumerate(zip(sources, config.sources, strict=True)):
        for j, (target, tested) in enumerate(zip(targets, config.targets, strict=True)):
            images = shared_images(source.train, (*target.query, *target.gallery))
            # Only the numbers of one and the same data set mean the same people.
            people = shared_people(source, target) if spec == tested else []
            if not images and not people:
                continue
            what = f"{_counted(len(images), 'image', 'images')} (the first '{images[0].name}')" if images else ""
            who = f"{_counted(len(people), 'person', 'people')} (the first identity {people[0]})" if people else ""
            raise InputError(
                f"data.sources.{i} '{source.name}' trains on {' and '.join(filter(None, (what, who)))} that "
                f"data.targets.{j} '{target.name}' tests on",
                "keep them apart, or set data.allow_leakage=true and mistrust the scores",
            )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _require_test(data: ReidData) -> None:
    for part, samples in (("query", data.query), ("gallery", data.gallery)):
        if not samples:
            raise InputError(
                f"data set '{data.name}' has no {part} images to test on",
                "it is for training only, or its folder is incomplete; set data.targets to [] to train without testing",
            )
    if len(unmatched(data)) == len(data.query):
        cause, hint = no_match_cause(data)
        raise InputError(
            f"data set '{data.name}': no query has a match from another camera in the gallery: {cause}", hint
        )


def told_apart(targets: Sequence[ReidData]) -> list[ReidData]:
    """The targets under names of their own: `market1501`, `market1501-2` for the same in another folder, and so on."""
    names = distinct([target.name for target in targets])
    return [replace(target, name=name) for target, name in zip(targets, names, strict=True)]
