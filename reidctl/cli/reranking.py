"""Options of the commands that can re-rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.config import Rerank

Reranking = Annotated[
    bool, typer.Option("--rerank", help="k-reciprocal re-ranking, with the model's own parameters where it has any.")
]
K1 = Annotated[
    int | None,
    typer.Option("--k1", min=1, help="Re-ranking: neighbours that must be reciprocal.", show_default=False),
]
K2 = Annotated[
    int | None,
    typer.Option("--k2", min=1, help="Re-ranking: neighbours averaged in the query expansion.", show_default=False),
]
Lambda = Annotated[
    float | None,
    typer.Option("--lambda", min=0, max=1, help="Re-ranking: share of the original distance.", show_default=False),
]


def chosen_reranking(
    own: Rerank | None, asked: bool, k1: int | None, k2: int | None, lambda_value: float | None
) -> Rerank | None:
    """The model's own setting with what the options say laid over it; None for no re-ranking.

    ConfigError for parameters where nothing is re-ranked.
    """
    from reidctl.config import Rerank

    base = own or (Rerank() if asked else None)
    given = {
        name: value for name, value in (("k1", k1), ("k2", k2), ("lambda_value", lambda_value)) if value is not None
    }
    if base is None:
        if given:
            raise ConfigError("--k1, --k2 and --lambda are parameters of re-ranking", "add --rerank")
        return None
    return base.model_copy(update=given)


def evaluation_device(device: str) -> str:
    """Where `--device` has distances computed: on a GPU if it names one, else on the CPU."""
    return device if device.startswith("cuda") else "cpu"
