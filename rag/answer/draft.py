"""From a model's words to an Answer: checked against what was sent, whole or piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prompts import load
from rag.answer.citations import CitationFilter, cited_numbers
from rag.answer.material import Material
from rag.schema import Answer, Citation

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse
    from llama_index.core.llms import LLM

__all__ = ["AnswerStream", "AsyncAnswerStream", "Draft", "Request", "completed", "usage_of"]

_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(frozen=True)
class Request:
    """One request to the model: the messages and what they show."""

    question: str
    llm: LLM
    name: str
    messages: list[ChatMessage]
    material: Material


class Draft:
    """An answer that grows with the model's text. The pieces returned join to `Answer.answer`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._filter = CitationFilter({block.number for block in request.material.blocks})
        self._text = ""

    def feed(self, piece: str) -> str:
        """The checked text that `piece` makes certain."""
        return self._grown(self._filter.feed(piece))

    def finish(self, usage: Mapping[str, int]) -> tuple[str, Answer]:
        """The last piece (may be empty), and the answer.

        An answer that cites nothing that was sent says so, and counts as abstained.
        """
        last = self._grown(self._filter.finish())
        cited = cited_numbers(self._text)
        refused = _plain(load("abstention")) in _plain(self._text)
        if not self._text:
            last += self._grown(load("empty"))
        elif not cited and not refused:
            last += self._grown("\n\n" + load("unsupported"))
        blocks = {block.number: block.hit for block in self._request.material.blocks}
        answer = Answer(
            self._request.question,
            self._text,
            refused or not cited,
            tuple(Citation(f"[{number}]", blocks[number]) for number in cited),
            tuple(block.hit.image for block in self._request.material.blocks if block.picture),
            self._request.name,
            usage,
        )
        return last, answer

    def _grown(self, piece: str) -> str:
        self._text += piece
        return piece


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def completed(request: Request, response: ChatResponse) -> Answer:
    """The answer that one whole response makes."""
    draft = Draft(request)
    draft.feed(response.message.content or "")
    return draft.finish(usage_of(response))[1]


def usage_of(response: ChatResponse) -> dict[str, int]:
    """Token counts as the model reports them; empty where it does not."""
    raw: Any = response.raw
    counts = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    if counts is None:
        return {}
    found = {key: counts.get(key) if isinstance(counts, Mapping) else getattr(counts, key, None) for key in _USAGE}
    return {key: value for key, value in found.items() if isinstance(value, int)}


class AnswerStream(Iterator[str]):
    """The answer's text in pieces; read to the end, `answer` holds the Answer, whose text is all pieces joined.

    Closing it early ends the request; then there is no Answer.
    """

    def __init__(self, pieces: Generator[str | Answer, None, None]) -> None:
        self._pieces = pieces
        self._answer: Answer | None = None

    def __next__(self) -> str:
        for piece in self._pieces:
            if isinstance(piece, Answer):
                self._answer = piece
            elif piece:
                return piece
        raise StopIteration

    def close(self) -> None:
        """End the request without reading the rest."""
        self._pieces.close()

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises RuntimeError before the stream was read to its end."""
        return _finished(self._answer)


class AsyncAnswerStream(AsyncIterator[str]):
    """`AnswerStream` for `async for`."""

    def __init__(self, pieces: AsyncGenerator[str | Answer, None]) -> None:
        self._pieces = pieces
        self._answer: Answer | None = None

    async def __anext__(self) -> str:
        async for piece in self._pieces:
            if isinstance(piece, Answer):
                self._answer = piece
            elif piece:
                return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the request without reading the rest."""
        await self._pieces.aclose()

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises RuntimeError before the stream was read to its end."""
        return _finished(self._answer)


def _finished(answer: Answer | None) -> Answer:
    if answer is None:
        raise RuntimeError("the answer is not complete: read the stream to its end first")
    return answer
