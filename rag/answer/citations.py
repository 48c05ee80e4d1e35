"""Citation markers in an answer: `[1]`, `[1, 2]`, `[2-4]`. Only numbers that were sent survive."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["CitationFilter", "cited_numbers", "keep_known"]

_NUMBERS = r"\d{1,4}(?:[ \t]*[-–,;][ \t]*\d{1,4})*"
_MARKER = re.compile(rf"([ \t]*)\[[ \t]*({_NUMBERS})[ \t]*\]", re.ASCII)
_PART = re.compile(r"(\d+)(?:[ \t]*[-–][ \t]*(\d+))?", re.ASCII)
_UNDECIDED = re.compile(r"\s*(?:\[[0-9\s,;–\[\]-]*)?\Z")
"""The end of a text that later text may still change: white space, and a bracket followed by characters of markers.

Removing a marker can join what is around it into another (`[[9]1]`), but never across any other character.
"""


def cited_numbers(text: str) -> tuple[int, ...]:
    """The numbers that `text` cites, each once, in order of first use."""
    found = (number for marker in _MARKER.finditer(text) for number in _numbers(marker.group(2)))
    return tuple(dict.fromkeys(found))


def keep_known(text: str, known: Collection[int]) -> str:
    """`text` with every marker written as `[1]` or `[1][2]`, numbers outside `known` removed, and stripped.

    Afterwards `cited_numbers` is a subset of `known`. The space before a marker that vanishes goes with it.
    """
    return _rewritten(text, known).strip()


def _rewritten(text: str, known: Collection[int]) -> str:
    def rewrite(marker: re.Match[str]) -> str:
        kept = [number for number in dict.fromkeys(_numbers(marker.group(2))) if number in known]
        return marker.group(1) + "".join(f"[{number}]" for number in kept) if kept else ""

    previous = ""
    while previous != text:
        previous, text = text, _MARKER.sub(rewrite, text)
    return text


def _numbers(group: str) -> list[int]:
    """The numbers of one marker's inside; a range counts up to its end."""
    numbers: list[int] = []
    for first, last in _PART.findall(group):
        numbers.extend(range(int(first), int(last or first) + 1) or (int(first), int(last)))
    return numbers


class CitationFilter:
    """`keep_known` for text that arrives in pieces.

    However the text is cut, what `feed` and `finish` return joins to `keep_known` of the whole; what cannot be
    decided yet is held back.
    """

    def __init__(self, known: Collection[int]) -> None:
        self._known = known
        self._held = ""
        self._started = False

    def feed(self, piece: str) -> str:
        """The text that is certain after `piece`; may be empty."""
        self._held += piece
        undecided = _UNDECIDED.search(self._held)
        return self._release(undecided.start() if undecided else len(self._held))

    def finish(self) -> str:
        """The rest, without the white space at its end."""
        return self._release(len(self._held)).rstrip()

    def _release(self, cut: int) -> str:
        certain, self._held = _rewritten(self._held[:cut], self._known), self._held[cut:]
        if not self._started:
            certain = certain.lstrip()
            self._started = bool(certain)
        return certain
