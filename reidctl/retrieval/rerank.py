
from reidctl.retrieval.distance import GalleryDistances
class RerankSpec: pass
def distance_blocks(q,g,metric,rerank): return GalleryDistances(g,metric).blocks(q)
