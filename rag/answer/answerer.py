"""Answers with citations: what was found goes to a language model, what comes back is checked against what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from prompts import load, render
from rag.answer.draft import AnswerStream, AsyncAnswerStream, Draft, Request, completed, usage_of
from rag.answer.extractive import extract
from rag.answer.llm import EXTRACTIVE
from rag.answer.material import Material, Picture, estimate_tokens, fresh_nonce, gather, harmless, load_picture
from rag.errors import InputError
from rag.schema import Answer, Hit

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ContentBlock
    from llama_index.core.llms import LLM

__all__ = ["AnswerStream", "Answerer", "AsyncAnswerStream"]

_NO_PASSAGES: Final[Mapping[str, str]] = MappingProxyType({})
_WINDOW_SHARE: Final = 0.75
"""The part of a model's context window that text may fill; the rest is for pictures and the answer."""


class Answerer:
    """Answers from hits, by an LLM, or without one by quoting (`llm=None`).

    `token_budget` bounds the text of a request by `material.estimate_tokens`, which errs on the high side; three
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
        """The model's name (of its class, where it has none), or `extractive`."""
        if self.llm is None:
            return EXTRACTIVE
        name = self.llm.metadata.model_name
        return name if name not in ("", "unknown") else self.llm.class_name()

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
        is empty or leaves no room in the budget, PictureError where `image` cannot be opened, LLMError where the model
        fails.
        """
        prepared = self._prepare(question, hits, passages, image)
        if isinstance(prepared, Answer):
            return prepared
        return completed(prepared, prepared.llm.chat(prepared.messages))

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
        return completed(prepared, await prepared.llm.achat(prepared.messages))

    def stream(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        passages: Mapping[str, str] = _NO_PASSAGES,
        image: str | Path | None = None,
    ) -> AnswerStream:
        """`answer` in pieces. Nothing is sent, and no error raised, before the first piece is asked for."""

        def pieces() -> Generator[str | Answer, None, None]:
            prepared = self._prepare(question, hits, passages, image)
            if isinstance(prepared, Answer):
                yield prepared.answer
                yield prepared
                return
            draft, usage = Draft(prepared), dict[str, int]()
            for response in prepared.llm.stream_chat(prepared.messages):
                usage = usage_of(response) or usage
                yield draft.feed(response.delta or "")
            last, answer = draft.finish(usage)
            yield last
            yield answer

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
            draft, usage = Draft(prepared), dict[str, int]()
            async for response in await prepared.llm.astream_chat(prepared.messages):
                usage = usage_of(response) or usage
                yield draft.feed(response.delta or "")
            last, answer = draft.finish(usage)
            yield last
            yield answer

        return AsyncAnswerStream(pieces())

    def _prepare(
        self, question: str, hits: Sequence[Hit], passages: Mapping[str, str], image: str | Path | None
    ) -> Answer | Request:
        """The request to make, or the answer where there is none to make."""
        if not question.strip() and image is None:
            raise InputError("an empty question", "allowed: words, a picture, or both", "ask something")
        if self.llm is None:
            return extract(question, hits, passages, by_picture=image is not None, max_pictures=self.max_pictures)
        if not hits:
            return Answer(question, load("abstention"), True, (), (), self.name)
        places = self.max_pictures if self.multimodal else 0
        picture = load_picture(image, self.picture_bound) if image is not None and places else None
        nonce = fresh_nonce()
        system = render("answer_system", {"nonce": nonce, "abstention": load("abstention")})
        asked = harmless(question).strip() or "What do the documents say about this picture?"
        if image is not None and not picture:
            asked += "\nThe question came with a picture that you are not shown."
        material = gather(
            hits,
            passages,
            nonce=nonce,
            tokens=self._room(self.llm, system, asked),
            max_passages=self.max_passages,
            max_pictures=places - (picture is not None),
            picture_bound=self.picture_bound,
        )
        if not material.blocks:
            return Answer(question, load("abstention"), True, (), (), self.name)
        return Request(question, self.llm, self.name, _messages(system, material, asked, picture), material)

    def _room(self, llm: LLM, system: str, asked: str) -> int:
        """Tokens that are left for the material."""
        window = llm.metadata.context_window
        budget = min(self.token_budget, int(window * _WINDOW_SHARE)) if window > 0 else self.token_budget
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
