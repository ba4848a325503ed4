"""Which queries of a data set are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from reidctl.retrieval.ranking import Ranking
    from reidctl.types import ReidData

Worst = Annotated[
    int | None, typer.Option("--worst", min=1, help="Only the N queries of the lowest AP.", show_default=False)
]
Best = Annotated[
    int | None, typer.Option("--best", min=1, help="Only the N queries of the highest AP.", show_default=False)
]
Random = Annotated[
    int | None, typer.Option("--random", min=1, help="Only N queries drawn with --seed.", show_default=False)
]
PerCamera = Annotated[
    int | None,
    typer.Option("--per-camera", min=1, help="Only the N of the lowest AP of every camera.", show_default=False),
]
Query = Annotated[
    list[str], typer.Option("--query", metavar="ID", help="Only this query image (its name); repeatable.")
]


@dataclass(frozen=True)
class Choice:
    """What the options say; at most one of them chooses, and without any all queries are shown."""

    worst: int | None
    best: int | None
    random: int | None
    per_camera: int | None
    query: tuple[str, ...]
    seed: int

    def __post_init__(self) -> None:
        given = {
            "--worst": self.worst,
            "--best": self.best,
            "--random": self.random,
            "--per-camera": self.per_camera,
            "--query": self.query,
        }
        named = [option for option, value in given.items() if value]
        if len(named) > 1:
            raise ConfigError(f"{' and '.join(named)} all choose the queries", "leave one of them")

    def rows(self, ranking: Ranking, target: ReidData) -> list[int]:
        """The rows of a ranking of all queries that are shown, in their order; ConfigError for an unknown name."""
        if self.query:
            return _named(target, self.query)
        if self.worst:
            rows = ranking.worst_rows(self.worst)
        elif self.best:
            rows = ranking.best_rows(self.best)
        elif self.random:
            rows = ranking.random_rows(self.random, self.seed)
        elif self.per_camera:
            rows = ranking.worst_rows_of_each([sample.camera for sample in target.query], self.per_camera)
        else:
            return list(range(len(ranking.queries)))
        return [int(row) for row in rows]


def _named(target: ReidData, names: tuple[str, ...]) -> list[int]:
    positions = {sample.name: row for row, sample in enumerate(target.query)}
    for name in names:
        if name not in positions:
            raise ConfigError(
                f"--query: {target.name} has no query image '{name}'",
                suggestion(name, positions, f"it has {len(positions)}, the first '{next(iter(positions))}'"),
            )
    return [positions[name] for name in dict.fromkeys(names)]
