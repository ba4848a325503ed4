"""A loss and a transform for reidctl."""
