"""Files of embeddings: written and read piece by piece, so that their size does not matter."""

from reidctl.retrieval.features.files import (
    Features,
    files_of,
    is_feature_file,
    open_features,
    require_format,
    write_features,
)
from reidctl.retrieval.features.rows import CHUNK, Block, FeatureReader, Labels, Made, gathered

__all__ = [
    "CHUNK",
    "Block",
    "FeatureReader",
    "Features",
    "Labels",
    "Made",
    "files_of",
    "gathered",
    "is_feature_file",
    "open_features",
    "require_format",
    "write_features",
]
