"""What happens to a ranking after fusion, one stage a file, and the explained node that passes through."""

from rag.ranking.fused import FusedNode, to_hit, to_hits
from rag.ranking.stage import Stage

__all__ = ["FusedNode", "Stage", "to_hit", "to_hits"]
