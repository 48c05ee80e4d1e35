"""Excel workbooks: a sheet is a section; its tables, pictures, charts, text boxes and cell notes.

openpyxl streams the cells. What it leaves out when it streams, or loses altogether (pictures with their descriptions,
chart sheets, notes), is read from the package's own XML.
"""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, Picture, one_line
from ingestion.readers import _zip
from ingestion.readers._builder import Builder, whole
from ingestion.readers._excel import addresses, margins, with_addresses
from ingestion.readers._furniture import Furniture
from ingestion.readers._office import (
    CX,
    DAMAGED,
    DIAGRAM,
    A,
    C,
    R,
    add_chart,
    add_diagram,
    add_newer_chart,
    core_metadata,
    damaged,
    open_package,
)
from ingestion.readers._sheet import add_regions

_MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_S: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_XDR: Final = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_REL: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_T: Final = "{http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments}"
_DRAWN: Final = {f"{C}chart": add_chart, f"{CX}chart": add_newer_chart, DIAGRAM: add_diagram}
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+\d+:[A-Z]+\d+)"')
_MAX_COVERED: Final = 200_000
"""Cells of merged areas that are filled; a whole column merged for its colour is not worth a million copies."""
_NO_RESULT: Final = re.compile(rb"<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    builder = Builder()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ExitStack() as open_files:
                archive, book = open_package(path, partial(_opened, open_files))
                told: set[str] = set()
                furniture = Furniture(builder)
                for name, part in _sheets(archive):
                    try:
                        _sheet(name, part, book, archive, builder, told)
                    except DAMAGED as exc:
                        if not any(getattr(item, "kind", "") != "heading" for item in builder.items):
                            raise
                        builder.omit(f"the rest of sheet {name}", f"damaged ({type(exc).__name__}: {exc})")
                    with furniture.added():
                        for words in margins(_raw(archive, part)):
                            builder.text(words)
                furniture.finish()
                _in_cells(archive, builder)
                _zip.count_unshown(archive, {item.name for item in builder.items if isinstance(item, Picture)}, builder)
            metadata = core_metadata(book.properties)
            book.close()
    except DAMAGED as exc:
        raise damaged(path, "Excel", exc) from exc
    return builder.document(metadata.pop("title", "") or path.stem, _MIME, metadata)


def _opened(open_files: ExitStack, given: str | BytesIO) -> tuple[zipfile.ZipFile, Any]:
    """The package and the workbook in it. What is opened is closed with `open_files`, however damaged the workbook."""
    from openpyxl import load_workbook

    file = open_files.enter_context(BytesIO(Path(given).read_bytes()) if isinstance(given, str) else given)
    archive = open_files.enter_context(zipfile.ZipFile(file))
    return archive, load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _sheet(name: str, part: str, book: Any, archive: zipfile.ZipFile, builder: Builder, told: set[str]) -> None:
    """A sheet: its cells, with each drawing before the first table that begins below it. `told`: the addresses of the
    links until now."""
    builder.leave_sections()
    builder.heading(name, 1)
    related = _related(archive, part)
    drawings = sorted(
        (item for kind, target in related if kind == "drawing" for item in _drawings(archive, target)),
        key=lambda item: item[0],
    )
    if name in book.sheetnames and hasattr(sheet := book[name], "iter_rows"):
        sheet.reset_dimensions()
        raw = _raw(archive, part)
        cells = (list(map(_shown, row)) for row in sheet.iter_rows(values_only=True))
        rows = with_addresses(_filled(cells, _merged(raw)), addresses(raw, _targets(archive, part)), told)
        for row, add in add_regions(rows, f"sheet {name}", builder):
            while drawings and drawings[0][0] <= row:
                _drawing(archive, *drawings.pop(0)[1:], builder)
            add()
        if missing := len(_NO_RESULT.findall(raw)):
            builder.omit(f"{missing} formulas of sheet {name}", "the file holds no result for them")
    for _, element, drawing in drawings:
        _drawing(archive, element, drawing, builder)
    _notes(archive, related, builder)


def _raw(archive: zipfile.ZipFile, part: str) -> bytes:
    """The XML of a sheet as it stands; nothing where it is too large to be looked through."""
    return archive.read(part) if archive.getinfo(part).file_size <= _zip.MAX_XML else b""


def _in_cells(archive: zipfile.ZipFile, builder: Builder) -> None:
    """Pictures that lie in cells, not over them; which cell shows them is told in two different ways."""
    for part in ("xl/richData/richValueRel.xml", "xl/cellimages.xml"):
        for kind, target in _related(archive, part):
            if kind == "image":
                builder.picture(archive.read(target), target)


def _shown(value: Any) -> str:
    """A cell's value as a reader of the sheet would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ", "seconds")
    return one_line(str(value))


def _sheets(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """(name, part) of the sheets, chart sheets among them, in the order of their tabs."""
    for _, target in (pair for pair in _related(archive, "") if pair[0] == "officeDocument"):
        book = _zip.parse_xml(archive.read(target))
        parts = _relations(archive, target)
        for sheet in book.iter("{*}sheet"):
            identity = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            if identity in parts:
                yield sheet.get("name", ""), parts[identity][1]


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """id -> (kind, part) of what a part points to; targets outside of the package are left out."""
    folder, _, name = part.rpartition("/")
    rels = _zip.read_xml(archive, f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
    found = {}
    for relation in rels.iter(f"{_REL}Relationship") if rels is not None else ():
        target = _zip.member(archive, part, relation.get("Target", ""))
        if target is not None and relation.get("TargetMode") != "External":
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], target)
    return found


def _targets(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """id -> address of what a part links to outside of the package."""
    folder, _, name = part.rpartition("/")
    rels = _zip.read_xml(archive, f"{folder}/_rels/{name}.rels")
    relations = rels.iter(f"{_REL}Relationship") if rels is not None else ()
    return {one.get("Id", ""): one.get("Target", "") for one in relations if one.get("TargetMode") == "External"}


def _related(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str]]:
    return list(_relations(archive, part).values())


def _merged(raw: bytes) -> dict[int, list[tuple[int, int, int]]]:
    """Row -> (first row, first column, last column) of the merged areas that cover it, all 0-based."""
    from openpyxl.utils import range_boundaries

    found: dict[int, list[tuple[int, int, int]]] = {}
    covered = 0
    for reference in _MERGED.findall(raw):
        left, top, right, bottom = range_boundaries(reference.decode("ascii", "replace"))
        covered += (bottom - top + 1) * (right - left + 1)
        if covered > _MAX_COVERED:
            break
        for row in range(top - 1, bottom):
            found.setdefault(row, []).append((top - 1, left - 1, right - 1))
    return found


def _filled(rows: Iterator[list[str]], merged: dict[int, list[tuple[int, int, int]]]) -> Iterator[list[str]]:
    """The rows, with what a merged area says in each of its cells, so that every row is whole; once only where nothing
    else is in the row, as in a title."""
    said: dict[tuple[int, int], str] = {}
    for number, row in enumerate(rows):
        others = sum(map(bool, row))
        for top, left, right in merged.get(number, ()):
            if number == top:
                said[top, left] = row[left] if left < len(row) else ""
            text = said.get((top, left), "")
            if text and others > (number == top):
                row.extend([""] * (right + 1 - len(row)))
                row[left : right + 1] = [text] * (right + 1 - left)
        yield row


def _drawings(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[int, Any, str]]:
    """(0-based row, anchor, drawing part) of what lies on a sheet."""
    tree = _zip.read_xml(archive, part)
    for anchor in tree if tree is not None else ():
        yield whole(anchor.findtext(f"{_XDR}from/{_XDR}row") or "", 0), anchor, part


def _drawing(archive: zipfile.ZipFile, anchor: Any, part: str, builder: Builder) -> None:
    """The pictures, charts and words of one anchor."""
    relations = _relations(archive, part)
    for element in anchor.iter(f"{_XDR}pic", f"{_XDR}sp", *_DRAWN):
        if element.tag in _DRAWN:
            _, target = relations.get(element.get(f"{R}dm" if element.tag == DIAGRAM else f"{R}id", ""), ("", ""))
            if (tree := _zip.read_xml(archive, target)) is not None:
                _DRAWN[element.tag](builder, tree)
            else:
                builder.omit("a chart or diagram", "the file does not hold its data")
            continue
        if element.tag == f"{_XDR}sp":
            for paragraph in element.iter(f"{A}p"):
                builder.text("".join(t.text or "" for t in paragraph.iter(f"{A}t")))
        for blip in element.iter(f"{A}blip"):
            _picture(archive, element, blip, relations, builder)


def _picture(
    archive: zipfile.ZipFile, element: Any, blip: Any, relations: dict[str, tuple[str, str]], builder: Builder
) -> None:
    properties = next(element.iter(f"{_XDR}cNvPr"), None)
    alt = "" if properties is None else properties.get("descr") or properties.get("title") or ""
    _, target = relations.get(blip.get(f"{R}embed", ""), ("", ""))
    if target:
        builder.picture(archive.read(target), target, alt)
    else:
        linked = blip.get(f"{R}link")
        reason = "linked, never fetched" if linked else "the file does not hold it"
        builder.lost_picture("of a sheet", reason, alt)


def _notes(archive: zipfile.ZipFile, related: list[tuple[str, str]], builder: Builder) -> None:
    """Notes on cells. Where a note is only the old form of a conversation, the conversation is told."""
    threaded: set[str] = set()
    persons = _persons(archive)
    for kind, part in sorted(related, key=lambda pair: pair[0] != "threadedComment"):
        tree = _zip.read_xml(archive, part) if kind in ("comments", "threadedComment") else None
        if tree is None:
            continue
        if kind == "threadedComment":
            for comment in tree.iter(f"{_T}threadedComment"):
                threaded.add(comment.get("ref", ""))
                _note(
                    comment.get("ref", ""),
                    persons.get(comment.get("personId", ""), ""),
                    comment.findtext(f"{_T}text") or "",
                    builder,
                )
            continue
        authors = [author.text or "" for author in tree.iter(f"{_S}author")]
        for comment in tree.iter(f"{_S}comment"):
            number = whole(comment.get("authorId", ""), len(authors))
            author = authors[number] if number < len(authors) else ""
            words = "".join(t.text or "" for t in comment.iter(f"{_S}t"))
            if comment.get("ref", "") not in threaded:
                _note(comment.get("ref", ""), author, words, builder)


def _persons(archive: zipfile.ZipFile) -> dict[str, str]:
    """Who takes part in the conversations, by identity."""
    parts = [name for name in archive.namelist() if name.startswith("xl/persons/")]
    trees = [tree for name in parts if (tree := _zip.read_xml(archive, name)) is not None]
    return {
        person.get("id", ""): person.get("displayName", "") for tree in trees for person in tree.iter(f"{_T}person")
    }


def _note(cell: str, author: str, words: str, builder: Builder) -> None:
    words = one_line(words)
    if author and words.startswith(f"{author}:"):
        words = words[len(author) + 1 :].lstrip()
    who = f" by {author}" if author and not author.startswith("tc=") else ""
    builder.text(f"Note on {cell}{who}: {words}" if words else "", "notes")
