"""Built-in models: images [B, 3, H, W] -> embeddings [B, D], the same in train and eval.

`layers`, `gates`, `pooling`, `dropout`, `blocks` and `head` are also what other networks of the family are built from.
"""
