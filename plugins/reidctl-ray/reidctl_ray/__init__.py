"""reidctl on a Ray cluster."""
