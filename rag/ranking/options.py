"""What is asked of a ranking after fusion, and the stages that do it, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.postprocessor.types import BaseNodePostprocessor

from rag.errors import InputError
from rag.ranking.boost import Boost, parse_boost, parse_recency
from rag.ranking.collapse import Collapse
from rag.ranking.group import Group
from rag.ranking.mmr import MMR
from rag.ranking.quota import Quota, parse_quota
from rag.ranking.rerank import Judge, Postprocess, Rerank
from rag.ranking.stage import Stage
from rag.settings import Settings
from rag.store.filters import check

if TYPE_CHECKING:
    from rag.store import FilterExpr, NamedVectorStore

__all__ = ["RankingOptions"]

_OF_SETTINGS: Final = ("collapse", "rerank", "rerank_depth")


@dataclass(frozen=True)
class RankingOptions:
    """What happens between fusion and the cut at `k`. Texts are written as on the command line.

    The order is fixed: rerank, boosts and recency, collapse, group, mmr, quota. So a boost counts on top of what a
    reranker says, of duplicates the one that is boosted stands for the others, and places are given out last.
    """

    collapse: bool = False
    """Fold near-duplicates into the best of them."""
    rerank: str | Judge | BaseNodePostprocessor = ""
    """`llm`, the folder or Hugging Face id of a cross-encoder, a function, or a LlamaIndex postprocessor."""
    rerank_depth: int = 50
    """Hits that are reranked."""
    boosts: tuple[str, ...] = ()
    """`EXPR: AMOUNT` each."""
    recency: str = ""
    """`[FIELD:]HALF_LIFE_DAYS[=AMOUNT]`."""
    group: int | None = None
    """Hits of each document at most; None for any number."""
    mmr: float | None = None
    """λ of maximal marginal relevance, above 0 and at most 1."""
    quota: str = ""
    """`image=3,text=2..`: places for each modality."""

    @classmethod
    def of(cls, settings: Settings, **given: Any) -> RankingOptions:
        """What the settings say, overruled by what is given; None counts as not given."""
        known = {name: getattr(settings, name) for name in _OF_SETTINGS}
        return cls(**{**known, **{name: value for name, value in given.items() if value is not None}})

    def stages(self, store: NamedVectorStore, k: int, judge: Callable[[str], Judge]) -> list[Stage]:
        """The stages over a store. `judge` finds a reranker by its name; recency counts from now.

        Raises InputError for an option that cannot be used, FilterError for a boost that names no field of the store.
        """
        stages: list[Stage] = []
        if isinstance(self.rerank, BaseNodePostprocessor):
            stages.append(Postprocess(self.rerank, self.rerank_depth))
        elif self.rerank:
            found = judge(self.rerank) if isinstance(self.rerank, str) else self.rerank
            stages.append(Rerank(found, self.rerank_depth))
        for text in self.boosts:
            expr, amount = parse_boost(text)
            stages.append(Boost(_checked(expr, store), amount, store.fields_of))
        if self.recency:
            recency = parse_recency(self.recency, datetime.now(timezone.utc))
            _require_dates(recency.field, store)
            stages.append(recency)
        if self.collapse:
            stages.append(Collapse())
        if self.group is not None:
            stages.append(Group(self.group))
        if self.mmr is not None:
            stages.append(MMR(store.vectors_of, self.mmr))
        if self.quota:
            stages.append(Quota(k, parse_quota(self.quota)))
        return stages


def _checked(expr: FilterExpr, store: NamedVectorStore) -> FilterExpr:
    store.condition(expr)  # reads a server's fields again before it refuses
    return check(expr, store.fields())


def _require_dates(field: str, store: NamedVectorStore) -> None:
    kind = store.fields().get(field)
    if kind not in ("datetime", "keyword", "mixed"):
        dates = sorted(name for name, kind in store.fields().items() if kind == "datetime")
        raise InputError(
            f"recency by {field!r}, which {'is no field' if kind is None else f'holds {kind} values'}",
            f"fields that hold dates: {', '.join(dates)}",
            "as in --recency published:365",
        )
