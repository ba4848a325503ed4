"""An index of embeddings in LanceDB."""
