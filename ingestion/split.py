"""Blocks to passages that fit the encoder's window. Pure: values in, new values out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from ingestion.document import Block, BlockKind, Section, section_path
from rag.errors import InputError

Spans: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""A tokenizer: the (start, end) character offsets of the tokens of a text, in order, without special tokens."""

PASSAGE_TOKENS: Final = 200
"""Longer passages blur: an embedding of 254 tokens is an average of several subjects. The rest of a large window is
left to the heading that is embedded in front of a passage."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True)
class Passage:
    """A stretch of text within one section and page."""

    text: str
    section: str
    """The headings above, outermost first, joined with " › "."""
    page: int | None
    kind: BlockKind
    """The kind of its blocks where they agree (a heading does not count); "paragraph" where they do not."""
    blocks: tuple[int, int]
    """Indexes of the first and the last block that it holds some of."""


@dataclass(frozen=True)
class _Piece:
    """A block, or the part of one that fits."""

    text: str
    kind: BlockKind
    block: int
    tokens: int


def split_blocks(
    blocks: Sequence[Block], spans: Spans, window: int, overlap: int = 0, size: int | None = None
) -> list[Passage]:
    """Passages of at most `size` tokens (default: the window, but no more than PASSAGE_TOKENS), in reading order.

    Every word of every block is in some passage, and no passage spans two sections or pages. Paragraphs are packed
    whole as long as they fit; a longer one is cut at sentence ends, and a longer sentence between words, or within
    one where a single word is too long. Headings open the passage after them; those without text of their own join
    the next passage beneath them. `overlap`: tokens of whole sentences that a passage repeats from the one before,
    within one paragraph only. The default is 0: neighbours are linked, so that an answer can widen a hit without
    storing words twice.

    Raises InputError where `window` or `size` is below 1, or `overlap` is not below the size.
    """
    limit = min(window, PASSAGE_TOKENS) if size is None else min(size, window)
    if limit < 1 or not 0 <= overlap < limit:
        raise InputError(
            f"passages of {limit} tokens with an overlap of {overlap}", "a size of at least 1 and an overlap below it"
        )
    passages: list[Passage] = []
    for first, last, anchor in _groups(blocks):
        pieces = [
            piece
            for number in range(first, last + 1)
            for piece in _pieces(blocks[number], number, spans, limit, overlap)
        ]
        for packed in _pack(pieces, spans, limit):
            passages.append(_passage(packed, anchor))
    return passages


def _passage(pieces: Sequence[_Piece], anchor: Block) -> Passage:
    kinds: set[BlockKind] = {piece.kind for piece in pieces if piece.kind != "heading"}
    kind: BlockKind = kinds.pop() if len(kinds) == 1 else "paragraph" if kinds else "heading"
    return Passage(_join(pieces), section_path(anchor.section), anchor.page, kind, (pieces[0].block, pieces[-1].block))


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[int, int, Block]]:
    """(first, last, the block whose section and page hold) for each run of one section and page.

    Headings that are alone wait for the first text beneath them, on the same page.
    """
    start, headings = 0, True
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        headings = headings and block.kind == "heading"
        if following is not None and _together(headings, block, following):
            continue
        yield start, number, block
        start, headings = number + 1, True


def _together(only_headings: bool, block: Block, following: Block) -> bool:
    if block.page != following.page:
        return False
    if block.section == following.section:
        return True
    return only_headings and _is_under(following.section, block.section)


def _is_under(section: Section, ancestor: Section) -> bool:
    return section[: len(ancestor)] == ancestor


def _pieces(block: Block, number: int, spans: Spans, limit: int, overlap: int) -> Iterator[_Piece]:
    """The block whole, or cut so that each part fits."""
    text = block.text.strip("\n").rstrip()
    if not text.strip():
        return
    tokens = len(spans(text))
    if tokens <= limit:
        yield _Piece(text, block.kind, number, tokens)
        return
    for part in _cut(text, spans, limit, overlap):
        yield _Piece(part, block.kind, number, len(spans(part)))


def _cut(text: str, spans: Spans, limit: int, overlap: int) -> Iterator[str]:
    """Sentences gathered up to the limit; each part is a substring of the text."""
    sentences = [part for start, end in _sentences(text) for part in _fitting(text, start, end, spans, limit)]
    counts = [len(spans(text[start:end])) for start, end in sentences]
    first = 0
    while first < len(sentences):
        last, total = first, counts[first]
        while last + 1 < len(sentences) and total + counts[last + 1] <= limit:
            total += counts[last + 1]
            last += 1
        # Counts of parts need not add up to the count of the whole: what counts is the whole.
        while last > first and len(spans(text[sentences[first][0] : sentences[last][1]])) > limit:
            last -= 1
        yield text[sentences[first][0] : sentences[last][1]]
        if last + 1 == len(sentences):
            return
        first = _step_back(counts, first, last, overlap)


def _step_back(counts: Sequence[int], first: int, last: int, overlap: int) -> int:
    """Where the next part begins: as many whole sentences back as the overlap allows, but always further on."""
    start, repeated = last + 1, 0
    while start - 1 > first and repeated + counts[start - 1] <= overlap:
        start -= 1
        repeated += counts[start]
    return start


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of sentences and lines, without the white space between them."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.start() + len(match[0].rstrip())
        if text[start:end].strip():
            yield start, end
        start = match.end()
    if text[start:].strip():
        yield start, len(text)


def _fitting(text: str, start: int, end: int, spans: Spans, limit: int) -> Iterator[tuple[int, int]]:
    """(start, end) of parts that fit: between words if possible, else between tokens, else between characters."""
    while start < end:
        tokens = _beginning(text, start, end, spans, limit)
        if len(tokens) <= limit:
            yield start, end
            return
        cut = _between_words(text, start, start + tokens[limit][0], start + tokens[limit - 1][1])
        while cut - start > 1 and len(spans(text[start:cut])) > limit:
            cut = start + (cut - start) // 2
        cut = max(cut, start + 1)
        yield start, cut
        start = cut
        while start < end and text[start].isspace():
            start += 1


def _beginning(text: str, start: int, end: int, spans: Spans, limit: int) -> Sequence[tuple[int, int]]:
    """More than `limit` tokens from the start of a stretch, or all of it: a megabyte is not tokenized for each
    passage."""
    reach = 16 * limit
    while True:
        tokens = spans(text[start : min(end, start + reach)])
        # The last token may be half a word; one more than needed makes sure that it is not used.
        if len(tokens) > limit + 1 or start + reach >= end:
            return tokens
        reach *= 2


def _between_words(text: str, start: int, following: int, end: int) -> int:
    """The last word boundary at or before the token that no longer fits; the token's start where there is none."""
    if following > start and (text[following - 1].isspace() or text[following].isspace()):
        return end if end > start else following
    boundary = max((text.rfind(blank, start, following) for blank in (" ", "\n", "\t")), default=-1)
    return boundary if boundary > start else max(following, start + 1)


def _pack(pieces: Iterable[_Piece], spans: Spans, limit: int) -> Iterator[list[_Piece]]:
    """Pieces gathered up to the limit. Headings are not left alone, nor at the end of a passage, where it can be
    helped."""
    packed: list[_Piece] = []
    waiting = deque(pieces)
    while waiting:
        piece = waiting.popleft()
        if not packed or _fits([*packed, piece], spans, limit):
            packed.append(piece)
            continue
        held = _trailing_headings(packed)
        if len(held) < len(packed):
            yield packed[: len(packed) - len(held)]
            packed = held
            waiting.appendleft(piece)
        elif parts := _under_headings(held, piece, spans, limit):
            packed.append(parts[0])
            waiting.appendleft(parts[1])
        else:
            yield packed
            packed = [piece]
    if packed:
        yield packed


def _under_headings(
    headings: Sequence[_Piece], piece: _Piece, spans: Spans, limit: int
) -> tuple[_Piece, _Piece] | None:
    """`piece` in two, so that the first part fits under the headings; None where they leave it less than half of the
    room."""
    room = limit - len(spans(_join(headings)))
    if piece.kind == "heading" or 2 * room < limit:
        return None
    first = next(_cut(piece.text, spans, room, 0))
    rest = piece.text[piece.text.index(first) + len(first) :].lstrip(" \t").strip("\n").rstrip()
    opening = replace(piece, text=first, tokens=len(spans(first)))
    following = replace(piece, text=rest, tokens=len(spans(rest)))
    fits = rest.strip() and following.tokens <= limit and _fits([*headings, opening], spans, limit)
    return (opening, following) if fits else None


def _fits(pieces: Sequence[_Piece], spans: Spans, limit: int) -> bool:
    # The sum is only an estimate, but far beyond the limit it spares the tokenizer.
    if sum(piece.tokens for piece in pieces) > 2 * limit:
        return False
    return len(spans(_join(pieces))) <= limit


def _trailing_headings(pieces: Sequence[_Piece]) -> list[_Piece]:
    count = 0
    while count < len(pieces) and pieces[-1 - count].kind == "heading":
        count += 1
    return list(pieces[len(pieces) - count :])


def _join(pieces: Sequence[_Piece]) -> str:
    """Blank lines between paragraphs; single line ends within lists, between the parts of a block, and after
    headings."""
    text = pieces[0].text
    for before, piece in pairwise(pieces):
        close = before.block == piece.block or before.kind == "heading" or before.kind == piece.kind == "list"
        text += ("\n" if close else "\n\n") + piece.text
    return text
