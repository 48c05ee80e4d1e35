"""Answers with citations: what was found goes to a language model, what comes back is checked against what was sent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from prompts import load, render
from rag.citations import CitationFilter, cited_numbers
from rag.errors import InputError
from rag.extractive import extract
from rag.llm import EXTRACTIVE
from rag.material import Material, Picture, estimate_tokens, gather, harmless, load_picture
from rag.schema import Answer, Citation, Hit

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock
    from llama_index.core.llms import LLM

__all__ = ["AnswerStream", "Answerer", "AsyncAnswerStream"]

_NO_PASSAGES: Final[Mapping[str, str]] = MappingProxyType({})
_WINDOW_SHARE: Final = 0.75
"""The part of a model's context window that text may fill; the rest is for pictures and the answer."""
_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


class AnswerStream(Iterator[str]):
    """The answer's text in pieces; read to the end, `answer` holds the Answer, whose text is all pieces joined.

    Closing it early ends the request; then there is no Answer.
    """

    def __init__(self, pieces: Generator[str, None, Answer]) -> None:
        self._pieces = pieces
        self._answer: Answer | None = None

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except StopIteration as end:
            self._answer = self._answer or end.value
            raise StopIteration from None

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
        piece = await anext(self._pieces)
        if isinstance(piece, Answer):
            self._answer = piece
            piece = await anext(self._pieces)
        assert isinstance(piece, str)
        return piece

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


@dataclass(frozen=True)
class _Request:
    """One request to the model: the messages and what they show."""

    question: str
    llm: LLM
    name: str
    messages: list[ChatMessage]
    material: Material


class _Draft:
    """An answer that grows with the model's text. The pieces returned join to `Answer.answer`."""

    def __init__(self, request: _Request) -> None:
        self._request = request
        self._filter = CitationFilter({block.number for block in request.material.blocks})
        self._text = ""

    def feed(self, piece: str) -> str:
        """The checked text that `piece` makes certain."""
        return self._grown(self._filter.feed(piece))

    def finish(self, usage: Mapping[str, int]) -> tuple[str, Answer]:
        """The last piece, and the answer. What cites nothing that was sent says so, and counts as abstained."""
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


class Answerer:
    """Answers from hits, by an LLM, or without one by quoting (`llm=None`).

    `token_budget` bounds the text of a request by `rag.material.estimate_tokens`, which errs on the high side; three
    quarters of the LLM's context window bound it too. `max_pictures` bounds the pictures of a request, the question's
    own counted first; `picture_bound` is their longest side in pixels. `multimodal=False` sends captions alone; by
    default the LLM's own attribute `multimodal` decides, and an LLM without it is taken to see.
    """

    def __init__(
        self,
        llm: LLM | None = None,
        *,
        max_pictures: int = 4,
        picture_bound: int = 1024,
        token_budget: int = 6000,
        max_passages: int = 20,
        multimodal: bool | None = None,
    ) -> None:
        for name, value, least in (
            ("max_pictures", max_pictures, 0),
            ("picture_bound", picture_bound, 1),
            ("token_budget", token_budget, 1),
            ("max_passages", max_passages, 0),
        ):
            if value < least:
                raise InputError(f"{name} = {value}", f"allowed: {least} or more", "give a larger number")
        self.llm = llm
        self.max_pictures = max_pictures
        self.picture_bound = picture_bound
        self.token_budget = token_budget
        self.max_passages = max_passages
        self.multimodal = bool(getattr(llm, "multimodal", True)) if multimodal is None else multimodal

    @property
    def name(self) -> str:
        """The model's name, or `extractive`."""
        return self.llm.metadata.model_name if self.llm is not None else EXTRACTIVE

    def answer(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        passages: Mapping[str, str] = _NO_PASSAGES,
        image: str | Path | None = None,
    ) -> Answer:
        """Answer `question` from `hits`, best first; `passages[hit.id]` is a hit's text with its neighbours.

        `image` is the question's own picture. Without hits no model is asked. Raises InputError where the question
        leaves no room in the budget, PictureError where `image` cannot be opened, LLMError where the model fails.
        """
        prepared = self._prepare(question, hits, passages, image)
        if isinstance(prepared, Answer):
            return prepared
        return _completed(prepared, prepared.llm.chat(prepared.messages))

    async def aanswer(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        passages: Mapping[str, str] = _NO_PASSAGES,
        image: str | Path | None = None,
    ) -> Answer:
        """`answer` without blocking the event loop: pictures are scaled in a thread, the model is asked by `achat`."""
        prepared = await asyncio.to_thread(self._prepare, question, hits, passages, image)
        if isinstance(prepared, Answer):
            return prepared
        return _completed(prepared, await prepared.llm.achat(prepared.messages))

    def stream(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        passages: Mapping[str, str] = _NO_PASSAGES,
        image: str | Path | None = None,
    ) -> AnswerStream:
        """`answer` in pieces. Nothing is sent, and no error raised, before the first piece is asked for."""

        def pieces() -> Generator[str, None, Answer]:
            prepared = self._prepare(question, hits, passages, image)
            if isinstance(prepared, Answer):
                yield prepared.answer
                return prepared
            draft, usage = _Draft(prepared), dict[str, int]()
            for response in prepared.llm.stream_chat(prepared.messages):
                usage = _usage(response) or usage
                if piece := draft.feed(response.delta or ""):
                    yield piece
            last, answer = draft.finish(usage)
            if last:
                yield last
            return answer

        return AnswerStream(pieces())

    def astream(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        passages: Mapping[str, str] = _NO_PASSAGES,
        image: str | Path | None = None,
    ) -> AsyncAnswerStream:
        """`stream` for `async for`; not awaited itself."""

        async def pieces() -> AsyncGenerator[str | Answer, None]:
            prepared = await asyncio.to_thread(self._prepare, question, hits, passages, image)
            if isinstance(prepared, Answer):
                yield prepared.answer
                yield prepared
                return
            draft, usage = _Draft(prepared), dict[str, int]()
            async for response in await prepared.llm.astream_chat(prepared.messages):
                usage = _usage(response) or usage
                if piece := draft.feed(response.delta or ""):
                    yield piece
            last, answer = draft.finish(usage)
            if last:
                yield last
            yield answer

        return AsyncAnswerStream(pieces())

    def _prepare(
        self, question: str, hits: Sequence[Hit], passages: Mapping[str, str], image: str | Path | None
    ) -> Answer | _Request:
        """The request to make, or the answer where there is none to make."""
        if self.llm is None:
            return extract(question, hits, passages, by_picture=image is not None, max_pictures=self.max_pictures)
        if not hits:
            return Answer(question, load("abstention"), True, (), (), self.name)
        places = self.max_pictures if self.multimodal else 0
        picture = load_picture(image, self.picture_bound) if image is not None and places else None
        nonce = secrets.token_hex(8)
        system = render("answer_system", {"nonce": nonce, "abstention": load("abstention")})
        unseen = (
            "\nThe question came with a picture that you are not shown." if image is not None and not picture else ""
        )
        asked = f"{harmless(question)}{unseen}"
        material = gather(
            hits,
            passages,
            nonce=nonce,
            tokens=self._room(system, asked),
            max_passages=self.max_passages,
            max_pictures=places - (picture is not None),
            picture_bound=self.picture_bound,
        )
        if not material.blocks:
            return Answer(question, load("abstention"), True, (), (), self.name)
        return _Request(question, self.llm, self.name, _messages(system, material, asked, picture), material)

    def _room(self, system: str, asked: str) -> int:
        """Tokens that are left for the material."""
        assert self.llm is not None
        budget = min(self.token_budget, int(self.llm.metadata.context_window * _WINDOW_SHARE))
        needed = estimate_tokens(system) + estimate_tokens(load("answer_question")) + estimate_tokens(asked)
        if needed >= budget:
            raise InputError(
                f"a question that needs, with the instructions, about {needed} tokens",
                f"allowed: less than {budget} (the token budget, or three quarters of the model's context window)",
                "shorten the question or raise the budget",
            )
        return budget - needed


def _messages(system: str, material: Material, asked: str, picture: Picture | None) -> list[ChatMessage]:
    """The system's message, and the user's: numbered blocks, each picture after its own, then the question."""
    from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock

    content: list[ContentBlock] = []
    text = ""
    for block in material.blocks:
        text += block.text + "\n"
        if block.picture:
            content += [TextBlock(text=text), _image_block(block.picture)]
            text = ""
    values = {"unopened": str(material.unopened), "question": asked}
    content.append(TextBlock(text=text + render("answer_question", values)))
    if picture:
        content += [TextBlock(text="The question's own picture:"), _image_block(picture)]
    return [
        ChatMessage(role=MessageRole.SYSTEM, content=system),
        ChatMessage(role=MessageRole.USER, blocks=content),
    ]


def _image_block(picture: Picture) -> ContentBlock:
    from llama_index.core.base.llms.types import ImageBlock

    if picture.url:
        return ImageBlock(url=picture.url)
    return ImageBlock(image=picture.data, image_mimetype=picture.mime)


def _completed(request: _Request, response: ChatResponse) -> Answer:
    draft = _Draft(request)
    draft.feed(response.message.content or "")
    return draft.finish(_usage(response))[1]


def _usage(response: ChatResponse) -> dict[str, int]:
    """Token counts as the model reports them; empty where it does not."""
    raw: Any = response.raw
    counts = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    if counts is None:
        return {}
    found = {key: counts.get(key) if isinstance(counts, Mapping) else getattr(counts, key, None) for key in _USAGE}
    return {key: value for key, value in found.items() if isinstance(value, int)}
