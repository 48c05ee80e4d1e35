"""The elements of WordprocessingML (ISO/IEC 29500-1, 17): which count, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingestion.readers._builder import whole

W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
V: Final = "{urn:schemas-microsoft-com:vml}"
WP: Final = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
CHART: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
CHECKBOX: Final = "{http://schemas.microsoft.com/office/word/2010/wordml}checkbox"
TEXTPATH: Final = f"{V}textpath"
"""Lettering drawn along a path: watermarks."""
OLE: Final = "{urn:schemas-microsoft-com:office:office}OLEObject"
_OFFICE_TITLE: Final = "{urn:schemas-microsoft-com:office:office}title"
_ENOUGH: Final = 40
"""Pieces of text that are gathered for what a comment is about."""

SKIPPED: Final = frozenset({f"{W}del", f"{W}moveFrom", FALLBACK, f"{W}txbxContent", f"{W}instrText", f"{W}delText"})
BREAKS: Final = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}


def rows_of(element: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also where a content control wraps them."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins"):
            yield from rows_of(child, tag)


def descend(element: Any, *tags: str) -> Iterator[Any]:
    """Elements of the given tags, without those in fallbacks, deletions, or text boxes (unless these are asked for)."""
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag not in SKIPPED:
            yield from descend(child, *tags)


def is_checked(box: Any) -> bool:
    """Whether a check box of a form is ticked."""
    state = next((child for child in box if child.tag.endswith("}checked")), None)
    return state is not None and "1" in state.attrib.values()


def alt_of(blip: Any) -> str:
    """The alt text of a picture: the description of the drawing around it, else its title."""
    for parent in blip.iterancestors():
        if parent.tag in (f"{WP}inline", f"{WP}anchor"):
            properties = parent.find(f"{WP}docPr")
            return "" if properties is None else properties.get("descr") or properties.get("title") or ""
        if parent.tag == f"{V}shape" and parent.get("alt"):
            return str(parent.get("alt"))
    return str(blip.get(_OFFICE_TITLE) or "")


def chosen(field: Any) -> str:
    """What the data of an old form field say that its runs do not: the entry chosen from a list, a ticked box."""
    entries = [entry.get(f"{W}val", "") for entry in field.iterfind(f"{W}ddList/{W}listEntry")]
    if entries:
        result = field.find(f"{W}ddList/{W}result")
        number = 0 if result is None else whole(result.get(f"{W}val", "0"), len(entries))
        return entries[number] if number < len(entries) else ""
    box = field.find(f"{W}checkBox")
    if box is None:
        return ""
    state = box.find(f"{W}checked")
    state = box.find(f"{W}default") if state is None else state
    return "[x]" if state is not None and state.get(f"{W}val", "1") not in ("0", "false", "off") else "[ ]"


def remarked(body: Any) -> dict[str, str]:
    """The words between the marks of each comment, by its id: the beginning of them where they are many."""
    about: dict[str, list[str]] = {}
    begun: set[str] = set()
    for element in body.iter(f"{W}commentRangeStart", f"{W}commentRangeEnd", f"{W}t", f"{W}p"):
        identity = element.get(f"{W}id", "")
        if element.tag == f"{W}commentRangeStart":
            begun.add(identity)
        elif element.tag == f"{W}commentRangeEnd":
            begun.discard(identity)
        else:
            for comment in list(begun):
                about.setdefault(comment, []).append(element.text or "" if element.tag == f"{W}t" else " ")
                if len(about[comment]) > _ENOUGH:
                    begun.discard(comment)
    return {identity: "".join(words) for identity, words in about.items()}
