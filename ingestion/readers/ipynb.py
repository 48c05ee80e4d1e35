"""Jupyter notebooks (nbformat 3 and 4): Markdown and code cells in order, with what the code printed and drew.

A notebook is JSON, and a damaged cell must not cost the others: nbformat would refuse the file as a whole.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import html
from ingestion.readers._builder import Builder
from ingestion.readers._html_pictures import Show, local
from ingestion.readers.markdown import add_markdown, local_pictures
from ingestion.readers.text import load_text
from rag.errors import SourceError

MAX_OUTPUT: Final = 10_000
"""Characters. A longer output is a log: its beginning is kept."""
_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_ANSI: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_OBJECT: Final = re.compile(r"<[\w. ]+(?: at 0x[0-9a-f]+| size [\dx]+ with \d+ Axes)?>")
"""What Python shows of an object that has no words."""


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or is no notebook."""
    builder = Builder()
    notebook = _load(path)
    show = local(builder, path.parent, root)
    for cell in _cells(notebook):
        _cell(cell, builder, show)
    about = notebook.get("metadata")
    metadata = _metadata(about if isinstance(about, dict) else {})
    title = metadata.pop("title", "")
    if not title:
        title = next((block.text for block in builder.items if getattr(block, "kind", "") == "heading"), path.stem)  # type: ignore[union-attr]
    return builder.document(title, "application/x-ipynb+json", metadata)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that its Markdown cells show."""
    words = [_joined(cell.get("source")) for cell in _cells(_load(path)) if cell.get("cell_type") == "markdown"]
    return tuple(found for text in words for found in local_pictures(text, path.parent, root))


def _load(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(load_text(path))
    except (ValueError, RecursionError) as exc:
        raise SourceError(f"{path} is not a readable notebook ({exc})", advice="repair it or save it again") from exc
    if not isinstance(notebook, dict) or not ("cells" in notebook or "worksheets" in notebook):
        raise SourceError(f"{path} is not a notebook", "JSON with the key cells is allowed", "save it with Jupyter")
    return notebook


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sheets = [notebook, *(sheet for sheet in _list(notebook.get("worksheets")) if isinstance(sheet, dict))]
    for sheet in sheets:
        for cell in _list(sheet.get("cells")):
            if isinstance(cell, dict):
                yield cell


def _metadata(about: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kernel, info = _dict(about.get("kernelspec")), _dict(about.get("language_info"))
    authors = [author.get("name") for author in _list(about.get("authors")) if isinstance(author, dict)]
    fields = {"title": about.get("title"), "programming_language": kernel.get("language") or info.get("name")}
    found |= {key: one_line(value) for key, value in fields.items() if isinstance(value, str) and value.strip()}
    names = [one_line(name) for name in authors if isinstance(name, str) and name.strip()]
    return found | ({"author": names[0] if len(names) == 1 else names} if names else {})


def _cell(cell: dict[str, Any], builder: Builder, show: Show) -> None:
    kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input")))
    if kind == "markdown":
        attachments = cell.get("attachments")
        add_markdown(
            source, builder, partial(_show, builder, show, attachments if isinstance(attachments, dict) else {})
        )
    elif kind == "heading":
        level = cell.get("level")
        builder.heading(source, level if isinstance(level, int) else 1)
    elif kind == "code":
        builder.text(source, "code")
        for output in _list(cell.get("outputs")):
            if isinstance(output, dict):
                _output(output, builder, show)
    else:
        builder.text(source)


def _show(
    builder: Builder, show: Show, attachments: dict[str, Any], sources: Sequence[str], alt: str, caption: str
) -> None:
    """A picture of a Markdown cell: attached to the cell, or like any other."""
    for src in sources:
        scheme, _, name = src.partition(":")
        if scheme.lower() == "attachment":
            bundle = attachments.get(name)
            if not isinstance(bundle, dict) or not _picture(bundle, name, builder, alt, caption):
                builder.lost_picture(src, "the notebook does not hold it", alt, caption)
            return
    show(sources, alt, caption)


def _output(output: dict[str, Any], builder: Builder, show: Show) -> None:
    """One output: the picture if there is one, else the richest text."""
    kind = output.get("output_type")
    if kind == "stream":
        _printed(_joined(output.get("text")), builder)
    elif kind in ("error", "pyerr"):
        _printed(f"{output.get('ename', 'Error')}: {_joined(output.get('evalue'))}", builder)
    else:
        data = output.get("data")
        bundle = data if isinstance(data, dict) else _old_bundle(output)
        pictured = _picture(bundle, "of an output", builder)
        if rich := _joined(bundle.get("text/html")):
            html.add_html(html.parse(rich), builder, show)
        elif rich := _joined(bundle.get("text/markdown")):
            add_markdown(rich, builder, show)
        elif (rich := _joined(bundle.get("text/latex")) or _joined(bundle.get("text/plain"))) and not (
            pictured or _OBJECT.fullmatch(rich.strip())
        ):
            _printed(rich, builder)


def _old_bundle(output: dict[str, Any]) -> dict[str, Any]:
    names = {
        "png": "image/png",
        "jpeg": "image/jpeg",
        "svg": "image/svg+xml",
        "html": "text/html",
        "text": "text/plain",
    }
    return {names[key]: value for key, value in output.items() if key in names}


def _picture(bundle: dict[str, Any], name: str, builder: Builder, alt: str = "", caption: str = "") -> bool:
    """Add the first picture of `bundle` that opens; whether there was one at all."""
    mime = next((kind for kind in _PICTURES if bundle.get(kind)), "")
    if not mime:
        return False
    text = _joined(bundle[mime])
    try:
        data = text.encode() if mime.endswith("xml") else b64decode("".join(text.split()))
    except (binascii.Error, ValueError) as exc:
        builder.lost_picture(name, f"undecodable ({exc})", alt, caption)
        return True
    builder.picture(data, name, alt, caption)
    return True


def _printed(text: str, builder: Builder) -> None:
    text = _ANSI.sub("", text)
    if len(text) > MAX_OUTPUT:
        builder.omit(f"{len(text) - MAX_OUTPUT} characters of an output", f"longer than {MAX_OUTPUT}")
    builder.text(text[:MAX_OUTPUT], "code")


def _joined(value: Any) -> str:
    """A multi-line string, which notebooks keep as a list."""
    return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else str(value or "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
