"""Words of documents, compared as multisets: how much of a text is found in another, whatever the order and layout."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final

from ingestion.document import one_line

if TYPE_CHECKING:
    from ingestion.document import ParsedDocument

_COMMENT: Final = re.compile(r"<!--.*?-->", re.S)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_TARGET: Final = re.compile(r"(?<=\])\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> Counter[str]:
    """The words of a text and how often each: runs of letters and digits (NFKC, case folded); underscores divide."""
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def common_share(truth: str, text: str) -> float | None:
    """The share of the words of `truth` that `text` has as well, each as often as `truth` has it; None where `truth`
    has no words."""
    wanted, found = words(truth), words(text)
    total = wanted.total()
    return (wanted & found).total() / total if total else None


def markdown_text(markdown: str) -> str:
    """The words that a reader of rendered Markdown sees: without comments, tags and the addresses of links and
    pictures, with entities and escaped characters resolved."""
    shown = _TARGET.sub("", _TAG.sub(" ", _COMMENT.sub(" ", markdown)))
    return html.unescape(_ESCAPE.sub(r"\1", shown))


def document_text(document: ParsedDocument) -> str:
    """All words that a document gives to the index: title, blocks, and those of pictures (captions, alt texts, what is
    drawn in them) that no block has."""
    text = "\n".join([document.title, *(block.text for block in document.blocks)])
    flat = one_line(text).casefold()
    said = [line for picture in document.pictures for line in f"{picture.words}\n{picture.ocr}".splitlines()]
    return "\n".join([text, *(line for line in dict.fromkeys(said) if one_line(line).casefold() not in flat)])
