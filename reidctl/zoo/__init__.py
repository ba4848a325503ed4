"""Published networks: which there are, and how to fetch them."""

from reidctl.zoo.catalogue import File, Network, networks
from reidctl.zoo.download import download

__all__ = ["File", "Network", "download", "networks"]
