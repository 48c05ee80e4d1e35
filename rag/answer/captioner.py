"""Captions by a multimodal LLM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prompts import load
from rag.answer.material import load_picture
from rag.errors import InputError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

__all__ = ["LLMCaptioner"]


class LLMCaptioner:
    """Describes pictures by a LlamaIndex LLM that takes pictures. `picture_bound`: the longest side sent, in pixels."""

    def __init__(self, llm: LLM, picture_bound: int = 1024) -> None:
        """Raises InputError for a model that takes no pictures."""
        if not getattr(llm, "multimodal", True):
            raise InputError(
                f"language model {llm.metadata.model_name!r} is declared to take no pictures",
                "allowed: a model that sees",
                "name another one, or set llm_multimodal = true",
            )
        self.llm, self.picture_bound = llm, picture_bound

    @property
    def name(self) -> str:
        """The model's name."""
        return self.llm.metadata.model_name or self.llm.class_name()

    def caption(self, image: str | Path) -> str:
        """What the model says of the picture. Raises LLMError; PictureError for what cannot be opened."""
        from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock

        picture = load_picture(image, self.picture_bound)
        shown = (
            ImageBlock(url=picture.url) if picture.url else ImageBlock(image=picture.data, image_mimetype=picture.mime)
        )
        answer = self.llm.chat(
            [
                ChatMessage(role=MessageRole.SYSTEM, content=load("caption_system")),
                ChatMessage(role=MessageRole.USER, blocks=[shown, TextBlock(text=load("caption_request"))]),
            ]
        )
        return answer.message.content or ""
