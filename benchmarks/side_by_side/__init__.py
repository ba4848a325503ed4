"""What several measurements share: the plain way of doing things, and processes that are measured in turns."""
