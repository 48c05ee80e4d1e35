"""A language model as judge of answers, by LlamaIndex's evaluators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from evals.answer_measures import Statement
from rag.errors import InputError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

    from rag.corpus import Corpus

__all__ = ["Judge"]

_NOTHING: Final = "(nothing)"
"""Stands for passages without a word: LlamaIndex answers for itself where there is no context."""


class Judge:
    """Judges by `FaithfulnessEvaluator` and `RelevancyEvaluator`, which ask the model for YES or NO.

    A judge errs, and favours its own writing: take its figures as a comparison of systems under one judge.
    """

    def __init__(self, llm: LLM) -> None:
        from llama_index.core.evaluation import FaithfulnessEvaluator, RelevancyEvaluator

        self.name = llm.metadata.model_name
        self._faithful, self._relevant = FaithfulnessEvaluator(llm=llm), RelevancyEvaluator(llm=llm)

    @classmethod
    def of(cls, corpus: Corpus, name: str) -> Judge:
        """The model `name` at the endpoint of the corpus's settings. Raises InputError for a name that is none."""
        from rag.answer import load_llm

        settings = corpus.settings
        llm = load_llm(
            name, base_url=settings.llm_base_url, api_key=settings.openai_key(), timeout=settings.llm_timeout
        )
        if llm is None:
            raise InputError(f"judge {name!r}", "allowed: the name of a language model", "leave --judge out")
        return cls(llm)

    def judge(
        self, question: str, answer: str, stated: Sequence[Statement], passages: Mapping[int, str]
    ) -> dict[str, float | None]:
        """`faithfulness` and `relevancy` of the whole answer, 0 or 1; `judged_support`, the share of its statements
        that their own cited passages support, in [0, 1] (ALCE's citation recall with this judge; None for none).

        `passages` are the texts of the cited hits by number. Raises LLMError where the model fails.
        """
        contexts = [text for text in passages.values() if text.strip()] or [_NOTHING]
        support = [self._supported(statement, passages) for statement in stated]
        return {
            "faithfulness": float(bool(self._faithful.evaluate(response=answer, contexts=contexts).passing)),
            "relevancy": float(bool(self._relevant.evaluate(question, answer, contexts).passing)),
            "judged_support": sum(support) / len(support) if support else None,
        }

    def _supported(self, statement: Statement, passages: Mapping[int, str]) -> float:
        contexts = [text for number in statement.cited if (text := passages.get(number, "")).strip()]
        if not contexts:
            return 0.0
        return float(bool(self._faithful.evaluate(response=statement.text, contexts=contexts).passing))
