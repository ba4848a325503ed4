"""The data sets that a run trains and tests on, as its configuration names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reidctl.config.schema import DataConfig
from reidctl.errors import InputError, PluginError
from reidctl.registry import datasets
from reidctl.types import ReidData, Sample, Spec


def load_sources(config: DataConfig) -> ReidData:
    """The training images of all sources as one data set without query and gallery.

    Identities and cameras are numbered from 0 without gaps, source by source in the order of the configuration;
    two sources share none. With `combineall` the query and gallery of each source are trained on too, and with
    `min_images_per_identity` identities of fewer images are left out, both before the sources are joined.
    Raises InputError for a source without training images or without an identity of enough of them.
    """
    sources = [_prepared(_load(config, f"data.sources.{i}", spec), config) for i, spec in enumerate(config.sources)]
    return _joined(sources)


def load_targets(config: DataConfig) -> list[ReidData]:
    """The data sets to test on, each under a name of its own.

    Raises InputError for one that cannot be scored: without query, gallery, or any pair across cameras.
    """
    targets = [_load(config, f"data.targets.{i}", spec) for i, spec in enumerate(config.targets)]
    for target in targets:
        _require_test(target)
    names = _distinct([target.name for target in targets])
    return [replace(target, name=name) for target, name in zip(targets, names, strict=True)]


def _load(config: DataConfig, at: str, spec: Spec) -> ReidData:
    data = datasets.build(spec, at=at, root=config.root)
    if not isinstance(data, ReidData):
        origin = datasets.find(spec.name).origin
        raise PluginError(f"data set '{spec.name}' from {origin} returned a {type(data).__name__}, not a ReidData")
    return data


def _prepared(data: ReidData, config: DataConfig) -> ReidData:
    if config.combineall:
        data = _with_test_images(data)
    if not data.train:
        raise InputError(
            f"data set '{data.name}' has no training images",
            "it is for testing only, or its folder is incomplete; `reidctl datasets stats` shows what is there",
        )
    return _without_rare(data, config.min_images_per_identity)


def _with_test_images(data: ReidData) -> ReidData:
    people = [s for s in (*data.query, *data.gallery) if s.identity >= 0 and s.identity not in data.distractors]
    labels = _numbered((s.identity for s in people), first=data.num_identities)
    return replace(data, train=(*data.train, *(replace(s, identity=labels[s.identity]) for s in people)))


def _without_rare(data: ReidData, least: int) -> ReidData:
    counts = Counter(sample.identity for sample in data.train)
    kept = [identity for identity, count in counts.items() if count >= least]
    if not kept:
        raise InputError(
            f"data set '{data.name}': no identity has {least} training images, the most is {max(counts.values())}",
            "lower data.min_images_per_identity",
        )
    if len(kept) == len(counts):
        return data
    labels = _numbered(kept)
    train = tuple(replace(s, identity=labels[s.identity]) for s in data.train if s.identity in labels)
    return replace(data, train=train)


def _joined(sources: Sequence[ReidData]) -> ReidData:
    train: list[Sample] = []
    identities = cameras = 0
    for source in sources:
        numbers = _numbered((s.camera for s in source.train), first=cameras)
        train.extend(replace(s, identity=s.identity + identities, camera=numbers[s.camera]) for s in source.train)
        identities += source.num_identities
        cameras += len(numbers)
    return ReidData("+".join(source.name for source in sources), train=tuple(train))


def _numbered(values: Iterable[int], first: int = 0) -> dict[int, int]:
    """Each distinct value -> its rank, from `first`."""
    return {value: number for number, value in enumerate(sorted(set(values)), start=first)}


def _require_test(data: ReidData) -> None:
    for part, samples in (("query", data.query), ("gallery", data.gallery)):
        if not samples:
            raise InputError(
                f"data set '{data.name}' has no {part} images to test on",
                "it is for training only, or its folder is incomplete; set data.targets to [] to train without testing",
            )
    cameras: dict[int, set[int]] = {}
    for sample in data.gallery:
        cameras.setdefault(sample.identity, set()).add(sample.camera)
    if not any(cameras.get(query.identity, set()) - {query.camera} for query in data.query):
        raise InputError(
            f"data set '{data.name}': no query has a match from another camera in the gallery: nothing can be scored",
            "mostly the file names carry no camera numbers; `reidctl datasets verify` says more",
        )


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those given again with -2, -3, … so that no result hides another."""
    seen = Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return found
