"""The numbers that Word computes: labels of list items and of numbered headings (ISO/IEC 29500-1, 17.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ingestion.readers._builder import whole

_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_ROMAN: Final = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_MAX_STYLES: Final = 20


@dataclass
class _Level:
    format: str = "bullet"
    text: str = ""
    start: int = 1


@dataclass
class Numbering:
    """Counts through a document: `label` must be asked for each paragraph, in order."""

    levels: dict[str, dict[int, _Level]] = field(default_factory=dict)
    """numId -> its levels."""
    family: dict[str, str] = field(default_factory=dict)
    """numId -> the abstract list it continues, which is what is counted."""
    styles: dict[str, Any] = field(default_factory=dict)
    """styleId -> the style's element."""
    counts: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Any | None, styles: Any | None) -> Numbering:
        """Numbering of a document, from the roots of its numbering and style parts."""
        found = cls(
            styles={s.get(f"{_W}styleId", ""): s for s in (styles.iter(f"{_W}style") if styles is not None else ())}
        )
        if tree is None:
            return found
        abstract = {a.get(f"{_W}abstractNumId", ""): a for a in tree.iterfind(f"{_W}abstractNum")}
        for num in tree.iterfind(f"{_W}num"):
            identity, parent = num.get(f"{_W}numId", ""), _value(num, "abstractNumId")
            found.family[identity] = parent
            found.levels[identity] = _levels(abstract.get(parent))
            for override in num.iterfind(f"{_W}lvlOverride"):
                level = whole(override.get(f"{_W}ilvl", "0"), 0)
                if (start := _value(override, "startOverride")) and level in found.levels[identity]:
                    found.levels[identity][level].start = whole(start, 1)
                    found.family[identity] = f"{parent}/{identity}"
        return found

    def label(self, paragraph: Any) -> tuple[str, int] | None:
        """(label, depth) of the paragraph: "2.1", "b)" or "-" for a bullet; None where it is not numbered."""
        identity, depth = self._place(paragraph)
        if identity in ("", "0"):
            return None
        level = self.levels.get(identity, {}).get(depth)
        if level is None or level.format == "none":
            return ("-", depth) if level is None else None
        family = self.family.get(identity, identity)
        self.counts[family, depth] = self.counts.get((family, depth), level.start - 1) + 1
        for key in [key for key in self.counts if key[0] == family and key[1] > depth]:
            del self.counts[key]
        if level.format == "bullet":
            return "-", depth
        return re.sub(r"%(\d)", lambda match: self._number(identity, family, int(match[1]) - 1), level.text), depth

    def _number(self, identity: str, family: str, depth: int) -> str:
        level = self.levels[identity].get(depth, _Level("decimal"))
        return _written(self.counts.get((family, depth), level.start), level.format)

    def _place(self, paragraph: Any) -> tuple[str, int]:
        """numId and level of a paragraph: its own, else those of its style or of the styles beneath that."""
        own = paragraph.find(f"{_W}pPr/{_W}numPr")
        identity, depth = (_value(own, "numId"), _value(own, "ilvl")) if own is not None else ("", "")
        style = _value(paragraph.find(f"{_W}pPr"), "pStyle")
        for _ in range(_MAX_STYLES):
            element = self.styles.get(style)
            if element is None or (identity and depth):
                break
            told = element.find(f"{_W}pPr/{_W}numPr")
            if told is not None:
                identity, depth = identity or _value(told, "numId"), depth or _value(told, "ilvl")
            style = _value(element, "basedOn")
        return identity, whole(depth, 0)


def _levels(abstract: Any | None) -> dict[int, _Level]:
    levels = {}
    for level in abstract.iterfind(f"{_W}lvl") if abstract is not None else ():
        levels[whole(level.get(f"{_W}ilvl", "0"), 0)] = _Level(
            _value(level, "numFmt") or "decimal", _value(level, "lvlText"), whole(_value(level, "start"), 1)
        )
    return levels


def _value(element: Any | None, name: str) -> str:
    found = element.find(f"{_W}{name}") if element is not None else None
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _written(number: int, form: str) -> str:
    """A count as letters, Roman or Arabic; other scripts are written as Arabic numbers."""
    if form.endswith("Letter") and 0 < number < 1000:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if form.startswith("upper") else letters
    if form.endswith("Roman") and 0 < number < 4000:
        roman, left = "", number
        for value, sign in _ROMAN:
            roman += sign * (left // value)
            left %= value
        return roman.upper() if form.startswith("upper") else roman
    return f"{number:02d}" if form == "decimalZero" else str(number)
