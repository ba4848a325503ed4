"""From images to rankings: embed, measure distances, rank, evaluate, re-rank, show."""

from reidctl.retrieval.analysis import analyse, analyse_features
from reidctl.retrieval.embedding import embed
from reidctl.retrieval.evaluation import evaluate, evaluate_features
from reidctl.retrieval.nearest import search
from reidctl.retrieval.ranking import rank_gallery
from reidctl.retrieval.reranking import rerank

__all__ = ["analyse", "analyse_features", "embed", "evaluate", "evaluate_features", "rank_gallery", "rerank", "search"]
