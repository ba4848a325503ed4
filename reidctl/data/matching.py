"""Why the queries of a data set have no match in its gallery."""

from __future__ import annotations

from collections.abc import Iterable

from reidctl.types import ReidData, Sample


def unmatched(data: ReidData) -> list[Sample]:
    """The queries whose identity no other camera of the gallery saw."""
    seen: dict[int, set[int]] = {}
    for sample in data.gallery:
        seen.setdefault(sample.identity, set()).add(sample.camera)
    return [query for query in data.query if not seen.get(query.identity, set()) - {query.camera}]


def no_match_cause(data: ReidData) -> tuple[str, str]:
    """Why no query at all has a match, and what to do; for data with a query and a gallery.

    Others report "query identities do not appear in gallery" in all of these cases.
    """
    people = {sample.identity for sample in data.gallery if sample.identity >= 0}
    wanted = {query.identity for query in data.query}
    if not people:
        return (
            "every gallery image is junk (identity -1)",
            "look at how the file names or the table tell the identity",
        )
    if not wanted & people:
        return (
            f"query identities do not appear in the gallery: none of {_span(wanted)} is among {_span(people)}",
            "query and gallery must number the same people in the same way; mostly one of the two folders or lists "
            "belongs to another data set or split",
        )
    cameras = {sample.camera for sample in (*data.query, *data.gallery)}
    if len(cameras) == 1:
        return (
            "every image has the same camera, so that every match is left out as seen by the query's own",
            "mostly the camera is read from the wrong place of the file name, or the names carry none",
        )
    return (
        "query identities appear in the gallery by the query's own camera only, and such images are left out",
        "the gallery needs images of the same people by other cameras; look at how the camera is told",
    )


def _span(identities: Iterable[int]) -> str:
    numbers = sorted(identities)
    shown = ", ".join(map(str, numbers)) if len(numbers) <= 3 else f"{numbers[0]}, {numbers[1]}, …, {numbers[-1]}"
    return f"{shown} ({len(numbers)} people)" if len(numbers) > 3 else shown
