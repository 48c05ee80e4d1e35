"""The LlamaIndex LLM behind `load_llm`, which imports this when asked: it loads llama_index and openai."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.llms.openai_like import OpenAILike

from rag.answer.llm import llm_errors

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen

__all__ = ["ChatModel"]


class ChatModel(OpenAILike):
    """A chat model at an OpenAI-compatible endpoint, whose failures are LLMErrors of one line.

    `multimodal` says whether it takes pictures; `Answerer` sends it captions alone where it does not.
    """

    multimodal: bool = True

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One answer. Raises LLMError."""
        with llm_errors(self.model, self.api_base or "", self.api_key or ""):
            return super().chat(messages, **kwargs)

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One answer. Raises LLMError."""
        with llm_errors(self.model, self.api_base or "", self.api_key or ""):
            return await super().achat(messages, **kwargs)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """One answer in pieces. LLMError is raised while they are read."""

        def pieces() -> ChatResponseGen:
            with llm_errors(self.model, self.api_base or "", self.api_key or ""):
                yield from super(ChatModel, self).stream_chat(messages, **kwargs)

        return pieces()

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """One answer in pieces. LLMError is raised while they are read."""

        async def pieces() -> ChatResponseAsyncGen:
            with llm_errors(self.model, self.api_base or "", self.api_key or ""):
                async for piece in await super(ChatModel, self).astream_chat(messages, **kwargs):
                    yield piece

        return pieces()
