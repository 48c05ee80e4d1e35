"""docutils' way from reStructuredText to a tree, without anything that reads other files or runs, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rag.errors import SourceError

__all__ = ["FREE_STEPS", "MAX_PARAGRAPH", "MAX_STEPS", "STUMBLES", "parse"]

_SETTINGS: Final = {
    "file_insertion_enabled": False,
    "raw_enabled": True,  # kept in the tree as text; files and addresses of `raw` are refused by the setting above
    "_disable_config": True,
    "traceback": True,  # raise what goes wrong, instead of printing it and ending the process
    "report_level": 2,
    "halt_level": 5,
    "warning_stream": False,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "doctitle_xform": True,
    "docinfo_xform": True,
    "line_length_limit": 1_000_000,
    "input_encoding": "unicode",
}
MAX_PARAGRAPH: Final = 4000
"""Characters that are parsed at once."""
MAX_STEPS: Final = 20
"""How often docutils may turn to a line, on the average. Lists of single words need four."""
FREE_STEPS: Final = 20_000
"""How often beside that: a few seconds."""
MAX_CHAINED: Final = 500
"""Targets in a row that are handed on to what follows them: each gets the names of all before it."""
STUMBLES: Final = (RecursionError, ValueError, AssertionError, AttributeError, LookupError, TypeError)
"""What docutils was seen to raise on texts that are nested too deeply, or that it does not foresee."""


def parse(text: str, path: Path) -> Any:
    """The tree of docutils. Raises SourceError, or one of STUMBLES where docutils cannot do it in bounded time."""
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    try:
        return publish_doctree(text, reader=_reader(), settings=copy(_settings()))
    except SystemMessage as exc:
        raise SourceError(f"{path} is not readable reStructuredText ({exc})", advice="mend it or name it .txt") from exc


@cache
def _settings() -> Any:
    """What docutils asks for its settings, put together once: that takes longer than to parse a paragraph."""
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser
    from docutils.readers.standalone import Reader

    settings = get_default_settings(Parser, Reader)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    return settings


def _reader() -> Any:
    """docutils' way from text to tree, without what only changes how a document looks: tables of contents, numbers of
    sections, lists of addresses, classes, the places of transitions. Each walks through the whole document, and a
    document may ask for thousands."""
    from docutils.parsers.rst import Parser
    from docutils.readers.standalone import Reader
    from docutils.transforms import misc, parts, references

    class Plain(Parser):  # type: ignore[misc,unused-ignore]
        def parse(self, inputstring: str, document: Any) -> None:
            document.note_source = _counted(document.note_source, FREE_STEPS + MAX_STEPS * inputstring.count("\n"))
            super().parse(inputstring, document)
            looks = (parts.Contents, parts.SectNum, references.TargetNotes, misc.ClassAttribute)
            document.transformer.transforms = [t for t in document.transformer.transforms if t[1] not in looks]

    class Bare(Reader):  # type: ignore[misc,unused-ignore]
        def get_transforms(self) -> list[Any]:
            left_out = {misc.Transitions}
            if _longest_chain(self.document) > MAX_CHAINED:
                left_out.add(references.PropagateTargets)
            return [transform for transform in super().get_transforms() if transform not in left_out]

    return Bare(parser=Plain(inliner=_inliner()))


def _longest_chain(document: Any) -> int:
    """How many targets without an address stand one after the other at most."""
    from docutils.nodes import target

    def chained(node: Any) -> bool:
        return isinstance(node, target) and not any(map(node.hasattr, ("refuri", "refname", "refid")))

    return max((sum(1 for _ in run) for found, run in groupby(document.findall(), chained) if found), default=0)


def _counted(note_source: Any, most: int) -> Any:
    """`note_source`, which docutils calls whenever it turns to a line; it raises ValueError after `most` calls. A line
    of a hundred asterisks is a list in a list a hundred times, and each of these is parsed by a parser of its own."""
    left = most

    def counted(source: Any, offset: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"more than {MAX_STEPS} steps a line")
        note_source(source, offset)

    return counted


def _inliner() -> Any:
    """docutils' parser of paragraphs, which gets long ones piece by piece: it looks for the end of each mark through
    the rest of the paragraph, and 100 kB of asterisks take it minutes."""
    from docutils.parsers.rst.states import Inliner

    inliner = Inliner()
    whole = inliner.parse

    def parse(text: str, lineno: int, memo: Any, parent: Any) -> tuple[list[Any], list[Any]]:
        parsed = [whole(piece, lineno, memo, parent) for piece in _pieces(text)]
        return [node for nodes, _ in parsed for node in nodes], [told for _, messages in parsed for told in messages]

    inliner.parse = parse  # not a subclass: docutils looks for the patterns among the names of the class itself
    return inliner


def _pieces(text: str) -> Iterator[str]:
    """`text` in pieces of at most MAX_PARAGRAPH characters, divided at a line's end or a space where there is one."""
    while len(text) > MAX_PARAGRAPH:
        end = max(text.rfind(mark, MAX_PARAGRAPH // 2, MAX_PARAGRAPH) for mark in "\n ") + 1 or MAX_PARAGRAPH
        yield text[:end]
        text = text[end:]
    yield text
