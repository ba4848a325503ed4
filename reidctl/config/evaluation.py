"""The part of the configuration that says how a network is tested."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import Field

from reidctl.types import StrictModel

Positive = Annotated[int, Ge(1)]


class Rerank(StrictModel):
    """k-reciprocal re-ranking (Zhong et al., CVPR 2017, https://arxiv.org/abs/1701.08398)."""

    k1: Annotated[Positive, Field(description="neighbours that must be reciprocal")] = 20
    k2: Annotated[Positive, Field(description="neighbours averaged in the query expansion")] = 6
    lambda_value: Annotated[float, Ge(0), Le(1), Field(description="share of the original distance")] = 0.3


class EvalConfig(StrictModel):
    """How a network is tested."""

    batch_size: Annotated[Positive, Field(description="images a forward pass")] = 64
    metric: Annotated[Literal["cosine", "euclidean"], Field(description="distance between embeddings")] = "cosine"
    protocol: Annotated[
        Literal["market1501", "cuhk03", "single-shot"],
        Field(
            description="market1501 ranks the whole gallery; cuhk03 takes rank-k from ten random galleries of one "
            "image an identity, mAP and mINP from the whole one; single-shot takes all from the random ones"
        ),
    ] = "market1501"
    ranks: Annotated[
        tuple[Positive, ...], MinLen(1), Field(description="ranks of the cumulative matching characteristic")
    ] = (1, 5, 10, 20)
    ap: Annotated[
        Literal["step", "trapezoid"],
        Field(
            description="rule of average precision: step as in Market-1501's papers, trapezoid as in the Open Model Zoo"
        ),
    ] = "step"
    flip: Annotated[bool, Field(description="average the embeddings of an image and its mirror")] = False
    rerank: Annotated[Rerank | None, Field(description="k-reciprocal re-ranking; null for none")] = None
