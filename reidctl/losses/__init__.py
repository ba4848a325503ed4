"""Built-in losses: embeddings[B, D] and labels[B] -> scalar, each the owner of its class weights."""
