"""A language model that ranks texts for a question, all of them in one request."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from prompts import load, render
from rag.answer.material import estimate_tokens, fresh_nonce, harmless, shortened, unmarked

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

__all__ = ["LLMJudge", "parse_order"]

_LEAST: Final = 60
"""Tokens below which a text is too short to be judged: rather than shorten all further, the last are left out."""
_THOUGHT = re.compile(r"<think>.*?</think>", re.S | re.I)
_RUN = re.compile(r"\[?\d+\]?(?:\s*[>,;\s]\s*\[?\d+\]?)*")
_log = logging.getLogger("triptych")


class LLMJudge:
    """Ranks texts by asking `llm` for their order (listwise, as Sun et al., arXiv 2304.09542, in a single window).

    The texts share `token_budget` (estimated) evenly and are shortened to it. Documents are data here as in an answer:
    each stands between tags with random letters. Where a reply names no text, all are worth the same, so that the
    order stays as it was, and a warning says so, once a judge. Raises LLMError where the model fails.
    """

    def __init__(self, llm: LLM, token_budget: int = 6000) -> None:
        self.llm = llm
        self.token_budget = token_budget
        self._warned = False

    def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        """Worth of each text: the number of texts not named before it; 0 for what the reply does not name."""
        from llama_index.core.base.llms.types import ChatMessage, MessageRole

        nonce = fresh_nonce()
        asked = f"Question: {harmless(question)}"
        blocks = self._blocks(
            texts, nonce, self.token_budget - estimate_tokens(load("rerank")) - estimate_tokens(asked)
        )
        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=render("rerank", {"nonce": nonce})),
            ChatMessage(role=MessageRole.USER, content="\n".join([*blocks, asked])),
        ]
        order = parse_order(self.llm.chat(messages).message.content or "", len(blocks))
        if not order and not self._warned:
            self._warned = True
            _log.warning("the language model's reply holds no ranking; the order stays as it was")
        worth = [0.0] * len(texts)
        for place, number in enumerate(order):
            worth[number - 1] = float(len(order) - place)
        return worth

    @staticmethod
    def _blocks(texts: Sequence[str], nonce: str, room: int) -> list[str]:
        """The texts that `room` tokens hold, marked off and numbered from 1; at least the first."""

        def block(number: int, body: str) -> str:
            values = {"nonce": nonce, "number": str(number), "heading": f"text {number}", "body": body}
            return render("answer_document", values)

        frame = estimate_tokens(block(len(texts), "") + "\n") + 1  # each is rounded up
        fitting = max(1, min(len(texts), room // (frame + _LEAST)))
        share = max(1, room // fitting - frame)
        return [block(number, shortened(unmarked(text), share)) for number, text in enumerate(texts[:fitting], 1)]


def parse_order(reply: str, count: int) -> list[int]:
    """The numbers from 1 to `count` in the longest run of numbers that a reply holds, each once; empty for none."""
    runs = [[int(n) for n in re.findall(r"\d{1,6}", run.group())] for run in _RUN.finditer(_THOUGHT.sub("", reply))]
    known = [[n for n in dict.fromkeys(run) if 1 <= n <= count] for run in runs]
    return max(known, key=len, default=[])
