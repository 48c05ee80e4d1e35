"""What happens to a ranking after fusion, one stage a file, and the explained node that passes through."""

from rag.ranking.boost import Boost, Recency
from rag.ranking.collapse import Collapse
from rag.ranking.fused import FusedNode, to_hit, to_hits
from rag.ranking.group import Group
from rag.ranking.mmr import MMR
from rag.ranking.options import RankingOptions
from rag.ranking.quota import Bounds, Quota
from rag.ranking.rerank import Judge, Postprocess, Rerank
from rag.ranking.stage import Stage

__all__ = [
    "MMR",
    "Boost",
    "Bounds",
    "Collapse",
    "FusedNode",
    "Group",
    "Judge",
    "Postprocess",
    "Quota",
    "RankingOptions",
    "Recency",
    "Rerank",
    "Stage",
    "to_hit",
    "to_hits",
]
