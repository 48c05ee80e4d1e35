"""Rerankers: the words of the first hits judged beside the question, by a model or by any LlamaIndex postprocessor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Protocol

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from rag.errors import InputError
from rag.question import Question
from rag.ranking.fused import FusedNode, in_slots

__all__ = ["Judge", "Postprocess", "Rerank", "words_of"]


class Judge(Protocol):
    """What reads a question and texts and says how well each answers it."""

    def __call__(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """A finite number for each text, higher for better; only their order counts, and equal ones keep theirs."""


@dataclass(frozen=True)
class Rerank:
    """Order the first `depth` hits that have words by a judge of texts.

    A hit's words are `words_of`; equal ones are judged once. The judge decides the order, not the scale: the hits
    exchange their scores, so that a score keeps its unit, and the adjustment `rerank` is what each won or lost. A
    picture without words cannot be judged, and keeps its place and score, as does what lies below `depth`; so does
    everything where the question has no words. Raises InputError for a depth below 1, and for a judge that does not
    say one finite number a text.
    """

    judge: Judge
    depth: int = 50

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InputError(f"a rerank depth of {self.depth}", "allowed: 1 or more", "as in --rerank-depth 50")

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Order by the judge."""
        asked = asked_of(question)
        texts = {place: words for place, hit in enumerate(ranking) if (words := words_of(hit.node))} if asked else {}
        places = list(texts)[: self.depth]
        if len(places) < 2:
            return list(ranking)
        distinct = list(dict.fromkeys(texts[place] for place in places))
        worth = dict(zip(distinct, self._judged(asked, distinct), strict=True))
        order = sorted(places, key=lambda place: -worth[texts[place]])
        judged = in_slots([ranking[place] for place in order], "rerank")
        reranked = list(ranking)
        for place, hit in zip(places, judged, strict=True):
            reranked[place] = hit
        return reranked

    def _judged(self, asked: str, texts: Sequence[str]) -> Sequence[float]:
        numbers = self.judge(asked, texts)
        if len(numbers) != len(texts) or not all(isfinite(number) for number in numbers):
            raise InputError(
                f"a reranker that says {len(numbers)} numbers of {len(texts)} texts"
                if len(numbers) != len(texts)
                else "a reranker that says a number that is not finite",
                "allowed: a finite number for each text",
                "correct the function",
            )
        return numbers


@dataclass(frozen=True)
class Postprocess:
    """Any LlamaIndex node postprocessor as a stage, over the first `depth` hits; all of them where it is None.

    Its order and its choice count, and what it changes in a node is kept. Where it leaves hits out, what it was not
    shown goes too: below a cutoff, or behind the best three, nothing worse may follow. Scores are handed out anew as in
    `Rerank`; what it adds (neighbours, say) has the score of the hit before it. Both are told under the postprocessor's
    class name.
    """

    postprocessor: BaseNodePostprocessor
    depth: int | None = None

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Let the postprocessor choose and order."""
        name = type(self.postprocessor).__name__
        known = {hit.node_id: hit for hit in ranking}
        given = [NodeWithScore(node=hit.node, score=hit.score) for hit in ranking[: self.depth]]
        image = str(question.image) if isinstance(question.image, str | Path) else None
        bundle = QueryBundle(asked_of(question), image_path=image)
        returned = {one.node_id: one for one in self.postprocessor.postprocess_nodes(given, query_bundle=bundle)}
        kept = [known[id_].model_copy(update={"node": one.node}) for id_, one in returned.items() if id_ in known]
        ours = iter(in_slots(kept, name))
        top = max((hit.total for hit in kept), default=0.0)
        done: list[FusedNode] = []
        for id_, one in returned.items():
            before = done[-1].total if done else top
            added = FusedNode(node=one.node, score=before, adjustments={name: before})
            done.append(next(ours) if id_ in known else added)
        chose = any(one.node.node_id not in returned for one in given)
        rest = [] if chose or self.depth is None else ranking[self.depth :]
        return done + [hit for hit in rest if hit.node_id not in returned]


def asked_of(question: Question) -> str:
    """The words of a question: its own, else those of the terms that are wanted."""
    return question.text.strip() or " ".join(
        term.text.strip() for term in question.terms if term.text.strip() and term.weight > 0
    )


def words_of(node: BaseNode) -> str:
    """What a reader of words can judge: heading and passage; of a picture caption, alternative text, OCR."""
    metadata = node.metadata
    heading = str(metadata.get("section") or metadata.get("title") or "").rpartition(" › ")[2]
    text = node.get_content(MetadataMode.NONE).strip()
    words = [part.strip() for part in (str(metadata.get("caption", "")), str(metadata.get("alt", "")))]
    said = "\n".join(dict.fromkeys(part for part in [*words, text] if part and (part == text or part not in text)))
    return f"{heading}\n{said}" if said and heading and heading not in said else said
