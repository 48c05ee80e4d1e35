"""Words of documents made fit for a terminal: no control characters, and lines of so many columns."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final
from unicodedata import category, combining, east_asian_width

__all__ = ["columns", "disarmed", "plain", "wrapped"]

_MORE: Final = "…"


def disarmed(words: str) -> str:
    """The words, without what would act on the terminal instead of being read.

    A document, or the name of a file, may hold escape sequences that move the cursor, set the title or fill the
    clipboard (CWE-150), and signs that turn the direction of the line around ("Trojan Source", CVE-2021-42574). Each is
    replaced by `\ufffd`.
    """
    return "".join("\ufffd" if _acts(char) else char for char in words)


def plain(words: str) -> str:
    """The words disarmed and in one line, one space apart."""
    return disarmed(" ".join(words.split()))


def _acts(char: str) -> bool:
    return category(char) in ("Cc", "Cs") or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"


def columns(words: str) -> int:
    """The columns that plain words take on a terminal: two for a wide letter, none for a combining mark."""
    return sum(_width(char) for char in words)


def wrapped(words: str, width: int, most: int | None = None) -> list[str]:
    """The words in lines of at most `width` columns; at most `most` of them, the last one then ends with `…`.

    Words too long for a line are broken, as are those of scripts that are written without spaces.
    """
    lines: list[str] = []
    for word in re.split(r" +", words.strip()):
        joined = f"{lines[-1]} {word}" if lines else word
        if columns(joined) <= width:
            lines[-1:] = [joined]
        else:
            lines += _broken(word, width)
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: most - 1], _cut(lines[most - 1], width)]


def _broken(word: str, width: int) -> list[str]:
    pieces = []
    while word:
        fits = sum(total <= width for total in accumulate(map(_width, word))) or 1
        pieces.append(word[:fits])
        word = word[fits:]
    return pieces


def _cut(line: str, width: int) -> str:
    """The line with `…` at its end, cut after a word if it is cut at all and has more than one."""
    kept = _broken(line, width - 2)[0]
    if kept != line and " " in kept:
        kept = kept.rpartition(" ")[0]
    return kept.rstrip(" ,;:") + f" {_MORE}"


def _width(char: str) -> int:
    if combining(char) or category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
